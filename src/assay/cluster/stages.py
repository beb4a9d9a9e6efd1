"""The GPU stages as components call them: inline, or as a Volcano Job, with the same results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assay import progress, task
from assay.cluster import explain
from assay.cluster.api import Api, ApiError, has_volcano, here
from assay.cluster.volcano import TaskConfig
from assay.cluster.work import Work
from assay.errors import InputError
from assay.placement import INLINE, ClusterSettings
from assay.settings import build


class Artifact(Protocol):
    """A KFP artifact: where it is on this machine, and where it stays."""

    path: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stage runs: in this process, or through `api` in a Volcano Job."""

    settings: ClusterSettings
    task: TaskConfig
    api: Api | None


def place(cluster: Mapping[str, Any], task_config: Mapping[str, Any]) -> Place:
    """Return where a stage runs by the cluster section and what this process finds around it.

    `task_config` is dsl.TaskConfig's fields. Raises SettingsError, and InputError where the section
    asks for a Volcano that is not there.
    """
    settings = build(ClusterSettings, task.whole(cluster), "cluster")
    config = TaskConfig(**task_config)
    api = None if settings.runner == INLINE else here()
    if api and _has_volcano(api):
        return Place(settings=settings, task=config, api=api)
    if settings.runner == "volcano":
        where = "this cluster has no" if api else "this process is in no cluster with"
        raise InputError(f"cluster.runner is volcano and {where} Volcano", "Set it to auto")
    return Place(settings=settings, task=config, api=None)


def _has_volcano(api: Api) -> bool:
    try:
        return has_volcano(api)
    except ApiError as error:
        raise explain.refused(error.message, error.status) from None


def finetune(
    settings: Mapping[str, Any],
    samples: Artifact,
    model: Artifact,
    training: Artifact,
    place: Place,
    listen: progress.Listener,
) -> Mapping[str, Any]:
    """Fine-tune and return the model's metadata; in a Job nothing is written here."""
    if place.api is None:
        out, record = Path(model.path), Path(training.path)
        return task.model_metadata(task.finetune(settings, Path(samples.path), out, record, listen))
    outputs = {"model": model.uri, "training": training.uri}
    return _launch(
        place,
        Work(
            stage="finetune",
            samples=samples.uri,
            outputs=outputs,
            arguments={"settings": settings},
        ),
    )


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
    if place.api is None:
        done = task.generate(**asked, samples=Path(samples.path), out=out, listen=listen)
        return task.predictions_metadata(done)
    outputs = {"predictions": predictions.uri}
    work = Work(stage="generate", samples=samples.uri, outputs=outputs, arguments=asked)
    return _launch(place, work)


def _launch(place: Place, work: Work) -> Mapping[str, Any]:
    from assay.cluster.launcher import launch

    assert place.api is not None  # noqa: S101  for the type checker
    return launch(place.api, work, place.settings, place.task)
