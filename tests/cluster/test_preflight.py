"""What a real cluster could never run is refused by the pipeline's first task, before any Job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assay import store
from assay.errors import InputError, StoreError
from tests.cluster import kube
from tests.cluster.conftest import Preflight
from tests.cluster.kube import Space
from tests.cluster.pipeline import Pipeline

Queue = Callable[..., str]


def test_what_fits_passes_soon_and_without_a_word(
    space: Space, queue: Queue, preflight_in: Preflight, capsys: pytest.CaptureFixture[str]
) -> None:
    fits = {"gpus": 0, "cpu": "500m", "memory": "1Gi", "priority_class": "system-node-critical"}
    name = queue(capability={"cpu": "1", "memory": "2Gi"})
    preflight_in(space)
    begin = time.monotonic()
    preflight_in(space, queue=name, nodes=2, **fits)
    assert time.monotonic() - begin < 5  # some hundredths on a machine that is idle
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("gpus")
def test_each_thing_that_can_never_be_has_its_line(space: Space, preflight_in: Preflight) -> None:
    with pytest.raises(InputError) as refused:
        preflight_in(space, queue="none", priority_class="none", gpus=8, cpu="999", nodes=2)
    queue_line, priority_line, nodes_line = str(refused.value).splitlines()
    assert queue_line == "the cluster has no queue none. Correct cluster.queue"
    assert priority_line.startswith("the cluster has no priority class none. ")
    assert "2 x (8 nvidia.com/gpu, 999 cpu), and the cluster's nodes hold 0" in nodes_line
    assert "set cluster.autoscaled" in nodes_line
    with pytest.raises(InputError, match="no queue none"):
        preflight_in(space, queue="none", gpus=8, autoscaled=True)


def test_a_queue_that_may_never_give_so_much(
    space: Space, queue: Queue, preflight_in: Preflight
) -> None:
    name = queue(capability={"cpu": "1"})
    with pytest.raises(InputError, match=rf"ask queue {name} for 3 x 500m cpu, .* is 1\."):
        preflight_in(space, queue=name, cpu="500m", nodes=3)


def test_gpus_are_counted_on_all_nodes(
    space: Space, preflight_in: Preflight, gpus: Callable[[int], None]
) -> None:
    gpus(3)
    preflight_in(space, gpus=1, nodes=3)
    with pytest.raises(InputError, match=r"2 x \(2 nvidia\.com/gpu\).* hold 1; .* is 3 nvidia"):
        preflight_in(space, gpus=2, nodes=2)


def test_the_store_has_to_take_the_keys_that_the_workers_get(
    space: Space, preflight_in: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    preflight_in(space, store_secret="mine")
    with pytest.raises(StoreError, match="the store says"):
        preflight_in(space)


@pytest.mark.usefixtures("gpus")
def test_the_task_in_its_pod(space: Space, preflight_in: Preflight, tmp_path: Path) -> None:
    """With the command of the compiled pipeline, the rights of manifests/ and a pod's own keys."""
    preflight_in(space)  # which also makes the bucket
    root = f"{kube.STORE}/{space.name}"
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    rows = [{"instruction": f"ask {number}", "output": "answer"} for number in range(4)]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    for name in ("base", "train.json"):
        store.publish(tmp_path / name, f"{root}/{name}")
    asked = {
        "base_model": f"{root}/base",
        "train_dataset": f"{root}/train.json",
        "template": "qwen3",
        "mode": "auto",
    }
    run = Pipeline(space=space, root=root, folder=tmp_path)
    fits = {"more_settings": {"cluster": {"gpus": 0, "cpu": "1"}}}
    done = run.run("preflight", {**asked, **fits}, {}, label="fits")
    assert "preflight: not checked" not in done.log
    never = {"more_settings": {"cluster": {"queue": "none", "gpus": 8.0}}}
    with pytest.raises(AssertionError) as refused:
        run.run("preflight", {**asked, **never}, {}, label="never")
    assert "assay: the cluster has no queue none. Correct cluster.queue\n" in str(refused.value)
    assert "1 x (8 nvidia.com/gpu), and the cluster's nodes hold 0" in str(refused.value)
    assert "Traceback" not in str(refused.value)
