"""A worker that is evicted or killed while LLaMA-Factory trains, and its next try on another node:
it goes on from the checkpoint that is in the store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assay import config as configuration
from assay import run, store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.finetune import UNFINISHED
from assay.folder import LOSSES, TRAINING
from assay.queues import Work
from assay.volcano.work import WORK, to_text

STEPS, EVERY = 48, 6


def work(bucket: str, folder: Path, base: Path) -> Work:
    """A fine-tune whose samples and base model are in the bucket."""
    tuning: dict[str, Any] = {
        "base_model": f"{bucket}/base",
        "template": TEMPLATE,
        "batch_size": 1,
        "cutoff_len": 128,
        "llamafactory": {"max_steps": STEPS, "save_steps": EVERY, "logging_steps": 1},
    }
    asked = {
        "mode": "auto",
        "dataset": {"train": f"{DATA}#smart_home_train", "max_samples": 2},
        "finetune": {**tuning, "base_model": str(base)},
    }
    run.begin(configuration.parse(asked), folder / "run")
    store.write_text(folder / "samples" / TRAINING, (folder / "run" / TRAINING).read_text())
    store.publish(folder / "samples", f"{bucket}/samples")
    store.publish(base, f"{bucket}/base")
    return Work(
        stage="finetune",
        samples=f"{bucket}/samples",
        outputs={"model": f"{bucket}/model", "training": f"{bucket}/training"},
        arguments={"settings": tuning},
    )


def worker(given: Work, node: Path) -> subprocess.Popen[str]:
    """What a pod runs, on a node with a disk of its own."""
    node.mkdir()
    there = {WORK: to_text(given), "TMPDIR": str(node), "ASSAY_CACHE": str(node / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "assay.volcano.worker"],
        env={**os.environ, **there},
        stdout=subprocess.PIPE,
        text=True,
    )


def checkpoints(bucket: str) -> list[int]:
    """The steps of the whole checkpoints in the store."""
    listed = store.listed(f"{bucket}/model.partial")
    names = {name.split("/")[2] for name in listed if name.startswith("checkpoints/")}
    whole = [n for n in names if store.exists(f"{bucket}/model.partial/checkpoints/trained/{n}")]
    return sorted(int(name.rpartition("-")[2]) for name in whole)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_training_goes_on_from_the_checkpoint_in_the_store(
    end: signal.Signals, smollm2: Path, bucket: str, tmp_path: Path
) -> None:
    given = work(bucket, tmp_path, smollm2)
    first = worker(given, tmp_path / "one")
    deadline = time.monotonic() + 400
    while not checkpoints(bucket):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    first.send_signal(end)
    first.communicate()
    assert first.returncode != 0
    [step] = checkpoints(bucket)
    assert step in range(EVERY, STEPS, EVERY)

    second = worker(given, tmp_path / "two")
    said, _ = second.communicate()
    assert second.returncode == 0, said
    assert "going on from what an earlier try has done" in said
    with store.fetched(f"{bucket}/model/{LOSSES}") as path:
        steps = [row["current_steps"] for row in store.tail(path)()]
    assert max(steps) == STEPS
    told = [line.split("/")[0] for line in said.splitlines() if line.startswith("finetune: ")]
    assert not {f"finetune: {number}" for number in range(1, step)} & set(told)
    assert store.listed(f"{bucket}/model.partial") == []
    assert UNFINISHED.complete not in store.listed(f"{bucket}/model")
