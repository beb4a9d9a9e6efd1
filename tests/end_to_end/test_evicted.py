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

from assay import config as configuration
from assay import run, store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.folder import LOSSES, TRAINING
from assay.queues import Work
from assay.volcano.work import WORK, to_text

# so many that a fast machine is still training when its second checkpoint is in the store
STEPS, EVERY = 100, 3


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


def until_checkpoint(given: Work, node: Path, bucket: str, after: int) -> subprocess.Popen[str]:
    """Have a worker train until a checkpoint of its own is in the store."""
    child = worker(given, node)
    deadline = time.monotonic() + 400
    while not [step for step in checkpoints(bucket) if step > after]:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return child


def trained_again(said: str, before: int) -> list[str]:
    """The lines of a worker's progress that are of steps `before` which there was a checkpoint."""
    told = [line.split("/")[0] for line in said.splitlines()]
    return [line for line in told if line in {f"finetune: {step}" for step in range(1, before)}]


def test_training_goes_on_from_the_checkpoint_in_the_store(
    smollm2: Path, bucket: str, tmp_path: Path
) -> None:
    given, step = work(bucket, tmp_path, smollm2), 0
    for node, end in enumerate((signal.SIGKILL, signal.SIGTERM)):
        child = until_checkpoint(given, tmp_path / f"node-{node}", bucket, step)
        child.send_signal(end)
        said, _ = child.communicate()
        assert child.returncode != 0
        assert not trained_again(said, step)
        [step] = checkpoints(bucket)

    last = worker(given, tmp_path / "last")
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert "going on from what an earlier try has done" in said
    assert not trained_again(said, step)
    with store.fetched(f"{bucket}/model/{LOSSES}") as path:
        assert store.tail(path)()[-1]["current_steps"] == STEPS
    assert store.listed(f"{bucket}/model.partial") == []
    assert not [name for name in store.listed(f"{bucket}/model") if "checkpoint" in name]
