"""LLaMA-Factory in a Volcano Job of two pods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay import dataset, model, store
from assay.dataset import DatasetSettings
from assay.demo.base_model import TEMPLATE
from assay.folder import LOSSES
from assay.queues import Work
from tests.cluster.data import BASE, EVALUATION, TRAINING
from tests.cluster.kube import Space
from tests.cluster.launchers import Start, last_line

SHORT = {"template": TEMPLATE, "learning_rate": 5e-4, "batch_size": 4}


@pytest.mark.timeout(1200)
def test_a_gang_of_two_waits_until_both_fit_and_trains_one_model(
    space: Space, root: str, tmp_path: Path, start: Start, gpus: Callable[[int], None]
) -> None:
    data = DatasetSettings(train=TRAINING, eval=EVALUATION, max_samples=4)
    dataset.prepare(data, tmp_path / "samples")
    store.publish(tmp_path / "samples", f"{root}/samples")
    wanted = Work(
        stage="finetune",
        samples=f"{root}/samples",
        outputs={"model": f"{root}/model", "training": f"{root}/training"},
        arguments={"settings": {"base_model": BASE, **SHORT, "epochs": 0.13}},
    )
    gpus(1)
    launcher = start(wanted, nodes=2, gpus=1)
    launcher.until("waiting: ")
    launcher.until("nvidia.com/gpu")
    assert not [pod for pod in space.pods() if pod["status"]["phase"] == "Running"]
    gpus(2)
    assert launcher.wait(900) == 0, launcher.output

    assert "[master-0] " in launcher.output
    assert "[worker-0] " in launcher.output
    assert "(2 pods, " in last_line(launcher)["runner"]
    training = store.fetch(f"{root}/training", tmp_path)
    losses = [row["loss"] for row in store.tail(training / LOSSES)() if "loss" in row]
    assert losses[-1] < losses[0]
    trained = model.resolve(f"{root}/model")
    assert trained.manifest is not None
    assert trained.digest == trained.manifest.digest == last_line(launcher)["digest"]
    names = sorted(pod["metadata"]["name"] for pod in space.pods())
    assert names == [f"{launcher.job}-master-0", f"{launcher.job}-worker-0"]
