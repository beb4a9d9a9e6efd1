"""The recurring runs of KFP's server that are Assay's schedules.

The description of each says what it is of and carries the hash of all that it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay.errors import KfpError
from assay.kubeflow import cron as crons
from assay.kubeflow import pipelines, runs, zones
from assay.kubeflow.client import Kfp
from assay.kubeflow.submit import experiment_id

_MARK = "Assay schedule {cron} ({zone}), content {hash}."
_MARKED = re.compile(r"Assay schedule (?P<cron>.*) \((?P<zone>[^()]*)\), content (?P<hash>\w+)\.")


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A schedule on the server; `cron` is as its file says it."""

    id: str
    name: str
    cron: str
    time_zone: str
    content: str
    enabled: bool
    created: datetime

    def upcoming(self, after: datetime, count: int = 3) -> list[datetime]:
        """Return its next firings, in its own zone; none while it is paused."""
        if not self.enabled:
            return []
        zone = zones.zone(self.time_zone, "time_zone")
        return crons.upcoming(crons.parse(self.cron), zone, after, count)


def named(kfp: Kfp, name: str) -> list[Applied]:
    """Return the schedules of this name, the first created first."""
    applied = every(kfp, filter=pipelines.equals("display_name", name))
    return sorted(applied, key=lambda schedule: (schedule.created, schedule.id))


def every(kfp: Kfp, **filters: str) -> list[Applied]:
    """Return the schedules on the server, of those that `filters` let through."""
    recurring = kfp.every(
        "schedules",
        kfp.client.recurring_runs.recurring_run_service_list_recurring_runs,
        "recurring_runs",
        **filters,
        **runs.space(kfp),
    )
    return [
        _read(run, marked.groupdict())
        for run in recurring
        if (marked := _MARKED.fullmatch(run.description or ""))
    ]


def _read(run: Any, mark: Mapping[str, str]) -> Applied:
    return Applied(
        id=run.recurring_run_id,
        name=run.display_name,
        cron=mark["cron"],
        time_zone=mark["zone"],
        content=mark["hash"],
        enabled=run.status == "ENABLED",
        created=run.created_at,
    )


def create(
    kfp: Kfp, name: str, mark: Mapping[str, str], wanted: Mapping[str, Any], *, enabled: bool
) -> Applied:
    """Make the server have a schedule; `mark` is its cron, zone and hash, `wanted` its cron as KFP
    reads it, the pipeline's spec and arguments."""
    models = kfp.client.api_models
    recurring = models.V2beta1RecurringRun(
        experiment_id=experiment_id(kfp),
        display_name=name,
        description=_MARK.format(**mark),
        mode=models.RecurringRunMode.ENABLE if enabled else models.RecurringRunMode.DISABLE,
        pipeline_spec=wanted["spec"],
        runtime_config=models.V2beta1RuntimeConfig(parameters=wanted["arguments"]),
        trigger=models.V2beta1Trigger(
            cron_schedule=models.V2beta1CronSchedule(cron=wanted["cron"])
        ),
        max_concurrency="1",
        no_catchup=True,
        service_account=kfp.connection.service_account or None,
        namespace=kfp.namespace,
    )
    made = kfp.call(
        f"schedule {name}",
        kfp.client.recurring_runs.recurring_run_service_create_recurring_run,
        recurring_run=recurring,
    )
    return _read(made, mark)


def delete(kfp: Kfp, applied: Applied) -> None:
    """Remove a recurring run and leave its runs: KFP would otherwise end them with it."""
    service, orphan = kfp.client.recurring_runs, "ORPHAN"
    try:
        kfp.call(
            f"schedule {applied.name}",
            service.recurring_run_service_delete_recurring_run,
            applied.id,
            propagation_policy=orphan,
        )
    except KfpError as error:
        if error.status != runs.NOT_FOUND:  # another apply was faster
            raise
