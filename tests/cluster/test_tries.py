"""LLaMA-Factory in Volcano Jobs: what an earlier try has done."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from assay import dataset, store
from assay.dataset import DatasetSettings
from assay.demo.base_model import TEMPLATE
from assay.queues import Work
from assay.volcano import job
from tests.cluster.data import BASE, EVALUATION
from tests.cluster.kube import Space
from tests.cluster.launchers import Start, eventually

SCRATCH = Path(job.SCRATCH)


@pytest.mark.timeout(1200)
def test_what_a_worker_had_done_is_kept(
    space: Space, root: str, tmp_path: Path, start: Start
) -> None:
    """The process that holds the model is killed half way; the next try goes on from there."""
    dataset.prepare(DatasetSettings(eval=EVALUATION, max_samples=16), tmp_path / "samples")
    store.publish(tmp_path / "samples", f"{root}/samples")
    settings = {"template": TEMPLATE, "batch_size": 1, "max_new_tokens": 48, "evaluate_loss": False}
    wanted = Work(
        stage="generate",
        samples=f"{root}/samples",
        outputs={"predictions": f"{root}/predictions"},
        arguments={"side": "baseline", "model": BASE, "base_model": "", "settings": settings},
    )
    first = start(wanted)
    answered = re.compile(r"^generate \(baseline\): (\d+)/16", re.MULTILINE)
    eventually(
        lambda: any(int(done) for done in answered.findall(first.output)), "some answers", 400
    )
    os.kill(predicting(), signal.SIGKILL)
    assert first.wait() == 1, first.output
    assert "Generation ended with signal SIGKILL" in first.error

    second = start(wanted)
    assert second.wait(600) == 0, second.output
    assert "going on from what an earlier try has done" in second.output
    assert int(answered.findall(second.output)[0]) > 0
    predictions = store.fetch(f"{root}/predictions", tmp_path) / "predictions.jsonl"
    assert len(predictions.read_text().splitlines()) == 16


def predicting() -> int:
    """Return the process in a pod that holds the model."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if b"assay.engine.child" in command and (path / "cwd").readlink() == SCRATCH:
                return int(path.name)
    raise AssertionError("no process answers")
