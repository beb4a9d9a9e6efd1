"""The GPU stages as components call them: inline or through a queue, with the same results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assay import progress, queues, task
from assay.placement import ClusterSettings
from assay.queues import Queue, TaskConfig, Work
from assay.settings import build


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


def place(cluster: Mapping[str, Any], task_config: Mapping[str, Any]) -> Place:
    """Return where a stage runs by the cluster section and what this process finds around it.

    `task_config` is dsl.TaskConfig's fields. Raises SettingsError, and InputError where the section
    asks for a queue system that is not there.
    """
    settings = build(ClusterSettings, task.whole(cluster), "cluster")
    queue = queues.find(settings.runner)
    return Place(settings=settings, task=TaskConfig(**task_config), queue=queue)


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
        return task.model_metadata(task.finetune(settings, Path(samples.path), out, record, listen))
    outputs = {"model": model.uri, "training": training.uri}
    work = Work(
        stage="finetune", samples=samples.uri, outputs=outputs, arguments={"settings": settings}
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
    base_model. Without a model the folder stays empty."""
    out = Path(predictions.path)
    if not asked["model"]:
        out.mkdir(parents=True, exist_ok=True)
        print(f"{asked['side']}: no model to compare with, nothing to generate", flush=True)
        return {}
    if place.queue is None:
        done = task.generate(**asked, samples=Path(samples.path), out=out, listen=listen)
        return task.predictions_metadata(done)
    outputs = {"predictions": predictions.uri}
    work = Work(stage="generate", samples=samples.uri, outputs=outputs, arguments=asked)
    return place.queue.run(work, place.settings, place.task)
