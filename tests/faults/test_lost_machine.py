"""A machine that works on a run in a store is lost, by kill -9, in each stage that costs something:
another one goes on from what it had done."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import store
from assay.store.lock import OWNER
from tests.chaos import tally
from tests.chaos.training import STEP_SECONDS
from tests.faults.endpoint import FakeEndpoint, chat, scores, serving
from tests.models import write_model

pytestmark = pytest.mark.model  # of the slow suite: it waits for what really takes its time

SAMPLES, STEPS, EVERY, AT_A_TIME = 24, 30, 5, 2
# the command, with what stands in for the model
ASSAY = """
    import sys
    from assay import process
    from assay.cli.main import main
    from tests.chaos.worker import python
    process.python = python
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(name="config")
def configuration(bucket: str, tmp_path: Path, judge: FakeEndpoint) -> Path:
    """A fine-tune that is evaluated by a judge; its data and base model are in the store."""
    rows = [{"instruction": f"Say <{n}>.", "output": "yes"} for n in range(SAMPLES)]
    store.write_json(tmp_path / "data.json", rows)
    write_model(tmp_path / "base")
    store.publish(tmp_path / "base", f"{bucket}/base")
    values = {
        "mode": "judge",
        "dataset": {"train": str(tmp_path / "data.json"), "eval": str(tmp_path / "data.json")},
        "finetune": {
            "base_model": f"{bucket}/base",
            "template": "qwen3",
            "llamafactory": {"max_steps": STEPS, "save_steps": EVERY},
        },
        "generate": {"evaluate_loss": False},
        "judge": {
            "endpoint": judge.url,
            "model": "fake",
            "api_key_env": "",
            "concurrency": AT_A_TIME,
            "self_test": False,
            "flip_sample": 0,
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "config.yaml"


@pytest.fixture(name="judge")
def slow_judge() -> Iterator[FakeEndpoint]:
    """A judge that takes its time."""
    with serving(lambda _: chat(scores(), delay=0.4)) as endpoint:
        yield endpoint


def machine(name: str, config: Path, uri: str) -> subprocess.Popen[str]:
    """Run it all on a machine with a disk of its own."""
    around = {
        "ASSAY_CACHE": str(config.parent / name),
        OWNER: "the same work",  # or it would wait for the dead one's lock to run out
        STEP_SECONDS: "0.3",
        tally.VARIABLE: str(config.parent / "tally.jsonl"),
    }
    command = [sys.executable, "-c", textwrap.dedent(ASSAY), "run", str(config), "--out", uri]
    return subprocess.Popen(
        command, env={**os.environ, **around}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def lost_when(done: Callable[[], object], child: subprocess.Popen[str]) -> None:
    """Lose the machine once something is in the store."""
    deadline = time.monotonic() + 240
    while not done() and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.1)
    reached = done()
    child.kill()
    said, _ = child.communicate()
    assert reached, said


def test_a_run_goes_on_on_another_machine_whenever_one_is_lost(
    bucket: str, config: Path, judge: FakeEndpoint
) -> None:
    uri = f"{bucket}/run"

    def there(text: str) -> list[str]:
        return [name for name in store.listed(uri) if text in name]

    def rows_in(log: str) -> int:
        with store.fetched(f"{uri}/{log}") as path:
            return len(path.read_text().splitlines())

    moments: dict[str, Callable[[], Any]] = {
        "training": lambda: any(
            store.exists(f"{uri}/model.partial/checkpoints/trained/checkpoint-{step}")
            for step in range(EVERY, STEPS, EVERY)
        ),
        "answering": lambda: there("baseline.partial/logs/predictions.jsonl/"),
        "judging": lambda: there("judge.partial/logs/candidate/verdicts.jsonl/"),
    }
    for name, done in moments.items():
        lost_when(done, machine(name, config, uri))
    paid, kept = len(judge.requests), sum(map(rows_in, there("judge.partial/logs/")))
    last = machine("last", config, uri)
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert "going on from what an earlier try has done" in said

    acts = tally.read(config.parent / "tally.jsonl")
    begun = [act.step for act in acts if act.what == "begin"]
    trained = begun.index(0, 1)  # the model is trained by the first two
    assert begun[:trained][0] == 0
    assert begun[1] >= EVERY
    assert 0 < begun[3] < SAMPLES, "the baseline's answers are gone on with"
    assert kept, "verdicts were in the store when the machine was lost"
    again = len(judge.requests) - paid - (2 * SAMPLES - kept)
    assert again <= AT_A_TIME, "only what was in flight, and may be noted late, is paid again"
    assert not there(".partial")
