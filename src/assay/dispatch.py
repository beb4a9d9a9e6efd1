"""The GPU stages as components call them: inline or through a queue, with the same results."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from assay import durable, progress, queues, store, task
from assay import finetune as finetuning
from assay import generate as generating
from assay.folder import SAMPLES
from assay.placement import ClusterSettings, is_accelerator
from assay.queues import Queue, TaskConfig, Work
from assay.settings import build

KEPT = "assay-predictions"
_RUN = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Artifact(Protocol):
    """A KFP artifact: where it is on this machine, and where it stays."""

    path: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stage runs: in this process, or through `queue`."""

    settings: ClusterSettings
    task: TaskConfig
    queue: Queue | None
    store: Mapping[str, Any] = field(default_factory=dict)


def place(
    cluster: Mapping[str, Any],
    task_config: Mapping[str, Any],
    waiting: Mapping[str, Any] | None = None,
) -> Place:
    """Return where a stage runs by the cluster section and what this process finds around it.

    `task_config` is dsl.TaskConfig's fields, `waiting` the section store. Raises SettingsError, and
    InputError where the section asks for a queue system that is not there.
    """
    settings = build(ClusterSettings, task.whole(cluster), "cluster")
    queue = queues.find(settings.runner)
    return Place(
        settings=settings, task=TaskConfig(**task_config), queue=queue, store=waiting or {}
    )


def finetune(
    settings: Mapping[str, Any],
    samples: Artifact,
    model: Artifact,
    training: Artifact,
    place: Place,
    listen: progress.Listener,
) -> Mapping[str, Any]:
    """Fine-tune and return the model's metadata; in a Job nothing is written here."""
    if place.queue is None:
        out, record = Path(model.path), Path(training.path)
        made = {out: model.uri, record: training.uri}
        with _kept("finetune", made, finetuning.work_folder(out), finetuning.UNFINISHED):
            tuned = task.finetune(settings, Path(samples.path), out, record, listen)
        return task.model_metadata(tuned)
    outputs = {"model": model.uri, "training": training.uri}
    work = Work(
        stage="finetune",
        samples=samples.uri,
        outputs=outputs,
        arguments={"settings": settings},
        store=place.store,
    )
    return place.queue.run(work, place.settings, place.task)


def generate(
    asked: Mapping[str, Any],
    samples: Artifact,
    predictions: Artifact,
    place: Place,
    listen: progress.Listener,
) -> Mapping[str, Any]:
    """Answer the samples and return the predictions' metadata; `asked` is side, model, settings and
    base_model. Without a model the folder stays empty; one behind an endpoint is asked from here,
    and a file's answers are taken here, as neither takes a GPU."""
    out = Path(predictions.path)
    if not asked["model"]:
        out.mkdir(parents=True, exist_ok=True)
        print(f"{asked['side']}: no model to compare with, nothing to generate", flush=True)
        return {}
    cache = asked["settings"].get("cache") or beside(samples.uri, predictions.uri)
    asked = {**asked, "settings": {**asked["settings"], "cache": cache}}
    here: dict[str, Any] = {"samples": Path(samples.path), "out": out, "listen": listen}
    if place.queue is None or task.elsewhere(asked["side"], asked["model"]):
        with _kept(
            "generate", {out: predictions.uri}, generating.work_folder(out), generating.UNFINISHED
        ):
            done = task.generate(**asked, **here, place=predictions.uri)
        return task.predictions_metadata(done)
    outputs = {"predictions": predictions.uri}
    work = Work(
        stage="generate",
        samples=samples.uri,
        outputs=outputs,
        arguments=asked,
        store=place.store,
    )
    # the versions in another image are not known here: its worker looks for itself
    if not place.settings.image and not place.queue.begun(work):
        taken = task.take(**asked, **here, accelerated=_accelerated(place))
        if taken:
            return task.predictions_metadata(taken)
    return place.queue.run(work, _with_samples(place.settings, Path(samples.path)), place.task)


def _with_samples(settings: ClusterSettings, folder: Path) -> ClusterSettings:
    """Return the settings without the pods that would have no sample to answer."""
    if settings.replicas == 1:
        return settings
    most = max(1, store.count_rows(folder / SAMPLES))
    if settings.replicas > most:
        print(f"generate: {most} pods, as there are no more samples than that", flush=True)
    return replace(settings, replicas=min(settings.replicas, most))


@contextmanager
def _kept(
    stage: str, made: Mapping[Path, str], folder: Path, contents: store.Contents
) -> Iterator[None]:
    """While the block runs in this task's pod, keep its work and send what it makes, as a worker
    does; where the pod has no access to the store, KFP sends it."""
    if not durable.has_access(durable.place_of(made)):
        yield
        return
    with durable.durable(stage, made, folder, contents):
        yield
    for path in made:
        shutil.rmtree(path)  # or KFP would send it once more


def beside(*artifacts: str) -> str:
    """Return the prefix that keeps answers beside the `artifacts` of a pipeline's run in a store,
    which lie under ROOT/PIPELINE/RUN: ROOT/assay-predictions; "" where that is not seen."""
    levels = zip(*(uri.split("/") for uri in artifacts), strict=False)
    shared = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
    root = "/".join(shared[:-2])
    known = len(shared) >= 5 and _RUN.fullmatch(shared[-1]) and store.is_remote(root)
    return f"{root}/{KEPT}" if known else ""


def _accelerated(place: Place) -> bool:
    """Whether the workers have more than a CPU to compute on."""
    limits = (place.task.resources or {}).get("limits") or {}
    return bool(place.settings.gpus) or any(map(is_accelerator, limits))
