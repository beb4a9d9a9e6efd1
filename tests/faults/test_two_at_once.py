"""Two processes on one run folder: nothing is paid twice, and who reads is not kept out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.cli.main import main
from assay.errors import InUseError
from assay.judge import JudgeSettings, judge, verdicts
from assay.store.lock import LOCK
from tests.faults.endpoint import FakeEndpoint, chat, scores, serving
from tests.faults.test_judge_faults import write_files

COUNT = 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with the answers of a candidate."""
    folder = tmp_path / "run"
    folder.mkdir()
    _, predictions = write_files(folder, COUNT)
    (folder / "candidate").mkdir()
    predictions.rename(folder / "candidate" / "predictions.jsonl")
    return folder


def configure(run: Path, url: str) -> None:
    asked = {"endpoint": url, "model": "fake", "api_key_env": "", "self_test": False}
    asked |= {"flip_sample": 0, "concurrency": 4}
    values = {"mode": "judge", "dataset": {"eval": "e.json"}, "model": "m", "judge": asked}
    (run / "config.yaml").write_text(yaml.safe_dump(values))


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def judging(run: Path) -> Iterator[tuple[subprocess.Popen[bytes], FakeEndpoint]]:
    """A judge at work on the run, which has paid for some verdicts, and its endpoint. It is to
    succeed and to have been the only one."""
    with serving(lambda _: chat(scores(), delay=0.2)) as endpoint:
        configure(run, endpoint.url)
        command = [sys.executable, "-m", "assay", "judge", str(run)]
        with subprocess.Popen(command) as process:
            wait_until(lambda: len(endpoint.requests) > 4 or process.poll() is not None)
            yield process, endpoint
        assert process.returncode == 0
    assert len(endpoint.requests) == COUNT
    assert len(verdicts(run / "candidate" / "verdicts.jsonl")) == COUNT
    assert not list(run.rglob(LOCK))


def test_who_comes_second_is_refused_in_one_line_and_spends_nothing(
    run: Path,
    judging: tuple[subprocess.Popen[bytes], FakeEndpoint],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, endpoint = judging
    for command in ("judge", "metrics", "generate", "finetune"):
        assert main([command, str(run)]) == 2
    assert main(["run", str(run / "config.yaml"), "--out", str(run)]) == 2
    files = run / "dataset.jsonl", run / "candidate" / "predictions.jsonl"
    settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="")
    with pytest.raises(InUseError) as caught:
        judge(*files, run / "candidate" / "verdicts.jsonl", settings)
    assert first.poll() is None
    lines = [*capsys.readouterr().err.splitlines(), str(caught.value)]
    assert len(lines) == 6
    for line in lines:
        assert "is in use by another process: " in line
        assert f"judge (process {first.pid} on " in line


def test_who_reads_is_not_kept_out(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree("tests/data/run", run)
    within, done = threading.Event(), threading.Event()

    def work() -> None:
        with store.held(run):
            within.set()
            done.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert within.wait(60)
    assert main(["report", str(run)]) == 0
    assert main(["judge", str(run)]) == 2
    done.set()
    thread.join()


def test_a_refused_command_leaves_no_folder_behind(tmp_path: Path) -> None:
    assert main(["judge", str(tmp_path / "runs" / "typo")]) == 2
    assert list(tmp_path.iterdir()) == []
