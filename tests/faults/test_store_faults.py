"""The store goes, freezes and comes back, and the process that computes is killed, before, while
and after a result is sent: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay import store
from assay.folder import SAMPLES
from assay.records import Verdict
from assay.store import s3
from tests.faults.endpoint import Answer, Body, FakeEndpoint, chat, scores, serving
from tests.faults.test_judge_faults import write_files
from tests.store_faults import MortalMinio, mortal

pytestmark = pytest.mark.model  # of the slow suite: they wait for what really takes its time

BUCKET = "minio://kept"
PLACE = f"{BUCKET}/run/judge/1/scores"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MortalMinio]:
    with mortal(tmp_path / "minio") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        with store.relied_on():  # it may still be waking up
            store.make_bucket(BUCKET)
        yield running


def until(done: Callable[[], object], seconds: float = 60) -> float:
    """Wait until it is so, and return how long that took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


# A stage as a component calls it: KFP's task of the judge.
JUDGE = """
    import sys
    from pathlib import Path
    from assay import task
    url, folder, out, place = sys.argv[1], *map(Path, sys.argv[2:4]), sys.argv[4]
    given = {"endpoint": url, "model": "fake", "api_key_env": "", "self_test": False,
             "flip_sample": 0, "concurrency": 2, "timeout_s": 60.0}
    sides = {"candidate": folder}
    with task.running({"wait_s": 120}) as listen:
        task.score("judge", "judge", given, folder, sides, out, listen, place=place)
"""


def judging(endpoint: FakeEndpoint, folder: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(JUDGE), endpoint.url, folder, out, PLACE]
    return subprocess.Popen(
        [str(part) for part in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def kept(folder: Path) -> dict[str, Verdict]:
    """The verdicts that another machine would take up."""
    store.Area(folder, f"{PLACE}.partial", store.Contents()).take_up()
    log = folder / "candidate" / "verdicts.jsonl"
    rows = store.read_rows(log, Verdict) if log.is_file() else ()
    return {row.id: row for row in rows}


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_paid_verdicts_are_in_the_store_and_never_paid_again(
    end: signal.Signals, server: MortalMinio, tmp_path: Path
) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    write_files(folder, 30)
    killed = threading.Event()
    answered: list[Body] = []

    def answer(body: Body) -> Answer:
        if len(answered) >= 8 and not killed.is_set():
            return chat(scores(), delay=60.0)
        answered.append(body)
        return chat(scores())

    with serving(answer) as endpoint:
        first = judging(endpoint, folder, tmp_path / "one")
        until(lambda: len(answered) >= 8)
        until(lambda: len(kept(tmp_path / "seen")) >= 8)
        first.send_signal(end)
        first.communicate()
        killed.set()
        second = judging(endpoint, folder, tmp_path / "two")
        said = second.communicate()
        assert second.returncode == 0, said
    assert "going on from what an earlier try has done" in said[0]
    assert len(endpoint.requests) <= 30 + 2  # what was in flight is asked for again
    assert store.listed(f"{PLACE}.partial") == []
    with store.fetched(PLACE) as whole:
        rows = list(store.read_rows(whole / "candidate" / "verdicts.jsonl", Verdict))
    assert {row.id for row in rows} == {f"s{number}" for number in range(30)}


def test_a_third_try_pays_nothing(server: MortalMinio, tmp_path: Path) -> None:
    """KFP's launcher failed after the stage was done: the scores are where they belong."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    write_files(folder, 6)
    with serving(lambda _: chat(scores())) as endpoint:
        for number in range(2):
            child = judging(endpoint, folder, tmp_path / f"{number}")
            said = child.communicate()
            assert child.returncode == 0, said
    assert len(endpoint.requests) == 6
    assert (tmp_path / "1" / "candidate" / "verdicts.jsonl").is_file()


# A worker's stage that has its result after a moment, sent as a worker sends it.
MAKES = """
    import sys, time
    from pathlib import Path
    from assay import task, store
    from assay.durable import durable
    folder, uri = Path(sys.argv[1]), sys.argv[2]
    partial, model = folder / "model.partial", folder / "model"
    contents = store.Contents(identity="identity.json")
    with task.running({"wait_s": float(sys.argv[3])}):
        store.listed(uri)
        with durable("finetune", {model: uri}, partial, contents):
            partial.mkdir(parents=True)
            (partial / "identity.json").write_text("{}")
            print("computing", flush=True)
            sys.stdin.readline()
            partial.rename(model)
            (model / "model.safetensors").write_bytes(b"weights" * (8 << 20))
            print("sending", flush=True)
"""


def making(folder: Path, wait_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(MAKES), str(folder), f"{BUCKET}/model"]
    return subprocess.Popen(
        [*command, str(wait_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def go_on(child: subprocess.Popen[str]) -> None:
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


@pytest.mark.parametrize("moment", ["before", "during"])
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_a_store_that_goes_at_publish_is_waited_for(
    moment: str, fault: str, server: MortalMinio, tmp_path: Path
) -> None:
    child = making(tmp_path / "work", wait_s=120)
    assert line(child) == "computing"
    go, back = (server.kill, server.start) if fault == "killed" else (server.freeze, server.thaw)
    if moment == "before":
        go()
    go_on(child)
    assert line(child) == "sending"
    if moment == "during":
        go()
    time.sleep(4)
    back()
    out, _ = child.communicate()
    assert child.returncode == 0, out
    if fault == "killed" and moment == "before":
        assert "store: 0/120 seconds, the store does not answer: waiting for it" in out
        assert "it does what it is asked again" in out
        [waited] = [name for name in store.listed(f"{BUCKET}/model") if name.startswith("waits/")]
        with store.fetched(f"{BUCKET}/model/{waited}") as path:
            assert 2 < store.read_json(path)["store"] < 60
    with store.fetched(f"{BUCKET}/model") as model:
        assert (model / "model.safetensors").read_bytes() == b"weights" * (8 << 20)
    assert store.listed(f"{BUCKET}/model.partial") == []


def test_a_store_that_stays_away_ends_a_try_with_exit_code_1(
    server: MortalMinio, tmp_path: Path
) -> None:
    child = making(tmp_path / "work", wait_s=3)
    assert line(child) == "computing"
    until(lambda: store.listed(f"{BUCKET}/model.partial"))
    server.kill()
    go_on(child)
    out, _ = child.communicate()
    assert child.returncode == 1, out
    assert f"what can be gone on from is in {BUCKET}/model.partial" in out
    assert "Traceback" not in out
    server.start()
    assert store.listed(f"{BUCKET}/model.partial")


def test_a_store_that_is_away_after_the_publication_costs_no_success(
    server: MortalMinio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.durable import durable

    model, partial = tmp_path / "model", tmp_path / "model.partial"
    deliver = store.deliver

    def and_goes(*given: object, **more: object) -> object:
        sent = deliver(*given, **more)  # type: ignore[arg-type]
        server.kill()
        return sent

    monkeypatch.setattr(store, "deliver", and_goes)
    short = store.waiting(store.StoreSettings(wait_s=1))
    with short, durable("finetune", {model: f"{BUCKET}/model"}, partial, store.Contents()):
        model.mkdir()
        (model / SAMPLES).write_text("{}\n")
    server.start()
    s3.renew()
    assert store.exists(f"{BUCKET}/model")
