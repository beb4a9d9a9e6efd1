"""Who schedules the GPU stages of a cluster: each queue system behind one protocol.

A new one is a module that has `find`, which returns its `Queue`, and a line in placement.QUEUES.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from assay import store
from assay.errors import InputError
from assay.placement import INLINE, QUEUES, ClusterSettings

Stage = Literal["finetune", "generate"]


@dataclass(frozen=True, kw_only=True)
class Work:
    """One stage: its `arguments`, the URI of its samples' folder, and by name the URIs that its
    artifacts go to. The last one is published last, so its presence means complete. `store` is the
    section of that name."""

    stage: Stage
    samples: str
    outputs: Mapping[str, str]
    arguments: Mapping[str, Any]
    store: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what identifies the work: no two tasks write to the same place."""
        return next(iter(self.outputs.values()))


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """What the user set on the KFP task, as Kubernetes' own fragments of a pod: dsl.TaskConfig,
    whose values are None where nothing is set."""

    resources: Mapping[str, Any] | None = None
    env: list[dict[str, Any]] | None = None
    node_selector: Mapping[str, str] | None = None
    tolerations: list[dict[str, Any]] | None = None
    affinity: Mapping[str, Any] | None = None
    volumes: list[dict[str, Any]] | None = None
    volume_mounts: list[dict[str, Any]] | None = None


class Queue(Protocol):
    """A queue system on the cluster that this process is in."""

    def check(self, stage: Stage, settings: ClusterSettings, artifacts: str) -> None:
        """Raise InputError, with a line for each problem, where this cluster could never run
        `stage`; `artifacts` is a URI under the pipeline's root."""

    def begun(self, work: Work) -> bool:
        """Return whether an earlier try has begun `work` and left it to be taken up."""

    def run(self, work: Work, settings: ClusterSettings, task: TaskConfig) -> Mapping[str, Any]:
        """Have `work` done and return the metadata of its artifact. Raises InputError for what
        the user can correct, StageError otherwise, each with the cause."""


def find(runner: str) -> Queue | None:
    """Return the queue system that `runner` names, or for "auto" the first that is here; None
    where the stage runs in this process. Raises InputError where a named one is not here."""
    if runner == INLINE:
        return None
    for name in (runner,) if runner in QUEUES else QUEUES:
        queue: Queue | None = importlib.import_module(QUEUES[name]).find()
        if queue:
            return queue
    if runner in QUEUES:
        raise InputError(
            f"cluster.runner is {runner} and this process is in no cluster with it",
            "Set it to auto",
        )
    return None


def check_place(uri: str) -> None:
    """Raise InputError for a place of samples or artifacts that no worker can reach."""
    if not store.is_remote(uri):
        raise InputError(
            f"{uri} is not in a store that the workers of a queue can reach",
            "Set KFP's pipeline root to s3:// or minio://, or cluster.runner to inline",
        )
