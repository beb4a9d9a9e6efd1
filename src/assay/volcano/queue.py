"""Volcano as a queue system: assay.queues.Queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.placement import ClusterSettings
from assay.queues import Stage, TaskConfig, Work
from assay.volcano import capacity, explain
from assay.volcano.api import Api, ApiError, has_volcano, here


@dataclass(frozen=True, kw_only=True)
class VolcanoQueue:
    """Volcano, through the API server `api`: each stage is a Job."""

    api: Api

    def check(self, stage: Stage, settings: ClusterSettings, artifacts: str) -> None:
        """Raise InputError where this cluster could never run the Job of `stage`."""
        capacity.check(self.api, stage, settings, artifacts)

    def begun(self, work: Work) -> bool:
        """Return whether there is a Job of `work`."""
        from assay.volcano.launcher import begun

        return begun(self.api, work)

    def run(self, work: Work, settings: ClusterSettings, task: TaskConfig) -> Mapping[str, Any]:
        """Have a Job do `work` and return the metadata of its artifact."""
        from assay.volcano.launcher import launch

        return launch(self.api, work, settings, task)


def find() -> VolcanoQueue | None:
    """Return Volcano where this process is in a cluster that serves it. Raises InputError or
    StageError where the API server refuses to say."""
    api = here()
    try:
        return VolcanoQueue(api=api) if api and has_volcano(api) else None
    except ApiError as error:
        raise explain.refused(error.message, error.status) from None
