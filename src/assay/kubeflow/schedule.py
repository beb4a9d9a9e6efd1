"""Recurring evaluations: each schedule exists once on the server, as its file says.

A schedule is a recurring run of KFP whose description carries the hash of all that it does. KFP
cannot change one, so a changed schedule is a new one, and the old one goes without its runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from assay import config as configuration
from assay import settings
from assay.config import Config
from assay.errors import InputError, KfpError, SettingsError
from assay.kubeflow import cron as crons
from assay.kubeflow import parameters, pipelines, recurring, runs, zones
from assay.kubeflow.client import Kfp
from assay.kubeflow.recurring import Applied

Change = Literal["created", "unchanged", "replaced"]
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What a SCHEDULE.yaml says: `cron` in `time_zone` starts a run of `config`.

    `config` is a configuration or the path of one, from the schedule's folder. `parameters` are
    the pipeline's own, such as judge_secret.
    """

    name: str
    cron: str
    config: str | Mapping[str, Any]
    time_zone: str = "UTC"
    parameters: Mapping[str, Any] = field(default_factory=dict)


def load(path: Path) -> tuple[Schedule, Config]:
    """Return the schedule in a YAML file and the configuration that it runs. Raises InputError
    and SettingsError."""
    values = configuration.read_yaml(path)
    schedule = settings.build(Schedule, values, "schedule")
    if not _NAME.fullmatch(schedule.name):
        raise SettingsError(
            f"schedule.name = {schedule.name!r}",
            "Use lower-case letters, digits and hyphens, 2 to 52",
        )
    if isinstance(schedule.config, str):
        return schedule, configuration.load(path.parent / schedule.config)
    return schedule, configuration.parse(schedule.config)


def apply(kfp: Kfp, schedule: Schedule, config: Config) -> tuple[Applied, Change]:
    """Make the server have this schedule, once; return it and what was done.

    A changed schedule replaces the one of its name, whose runs go on to their end; a paused one
    stays paused. Raises InputError before anything is created.
    """
    wanted = _wanted(kfp, schedule, config)
    before = recurring.named(kfp, schedule.name)
    same = bool(before) and before[-1].content == wanted["content"]
    if not same:
        _create_last(kfp, schedule, wanted, before)
    kept = _settle(kfp, schedule.name)
    if kept is None or kept.content != wanted["content"]:
        raise InputError(
            f"schedule {schedule.name} was changed by someone else meanwhile", "Apply it again"
        )
    return kept, "unchanged" if same else "replaced" if before else "created"


def list_all(kfp: Kfp) -> list[Applied]:
    """Return the schedules on the server, by name."""
    return sorted(
        recurring.every(kfp), key=lambda applied: (applied.name, applied.created, applied.id)
    )


def last_run(kfp: Kfp, applied: Applied) -> runs.Run | None:
    """Return the newest run that a schedule has started, without its tasks; None before any."""
    answer = kfp.call(
        "runs",
        kfp.client.runs.run_service_list_runs,
        filter=pipelines.equals("recurring_run_id", applied.id),
        sort_by="created_at desc",
        page_size=1,
        **runs.space(kfp),
    )
    return runs.read_run(kfp, answer.runs[0], {}) if answer.runs else None


def get(kfp: Kfp, name: str) -> Applied:
    """Return a schedule by its name. Raises KfpError where there is none."""
    applied = recurring.named(kfp, name)
    if not applied:
        raise KfpError(f"there is no schedule {name}", "See: assay schedule list", runs.NOT_FOUND)
    return applied[-1]


def pause(kfp: Kfp, name: str) -> None:
    """Start no more runs of a schedule, until it is resumed."""
    _switch(kfp, name, kfp.client.recurring_runs.recurring_run_service_disable_recurring_run)


def resume(kfp: Kfp, name: str) -> None:
    """Let a paused schedule start runs again; those missed meanwhile are not caught up."""
    _switch(kfp, name, kfp.client.recurring_runs.recurring_run_service_enable_recurring_run)


def delete(kfp: Kfp, name: str) -> None:
    """Remove a schedule; its runs go on."""
    get(kfp, name)
    for applied in recurring.named(kfp, name):
        recurring.delete(kfp, applied)


def trigger(kfp: Kfp, name: str) -> runs.Run:
    """Start a run of a schedule now, paused or not, and return it."""
    applied = get(kfp, name)
    service = kfp.client.recurring_runs
    known = kfp.call(
        f"schedule {name}", service.recurring_run_service_get_recurring_run, applied.id
    )
    models = kfp.client.api_models
    run = models.V2beta1Run(
        experiment_id=known.experiment_id,
        display_name=f"{name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}",
        description=f"Schedule {name}, triggered by hand.",
        pipeline_spec=known.pipeline_spec,
        runtime_config=known.runtime_config,
        service_account=known.service_account,
        recurring_run_id=applied.id,
    )
    made = kfp.call(f"a run of {name}", kfp.client.runs.run_service_create_run, run=run)
    return runs.read_run(kfp, made, {})


def _wanted(kfp: Kfp, schedule: Schedule, config: Config) -> dict[str, Any]:
    """Return what the server is to have, checked: KFP's cron, the pipeline, its arguments."""
    here = zones.zone(schedule.time_zone, "time_zone")
    there = zones.zone(kfp.connection.time_zone, "the connection's time_zone")
    cron = zones.moved(crons.parse(schedule.cron), here, there)
    text = pipelines.compiled(parameters.pipeline_of(config), kfp.connection.registry)
    spec, *platform = pipelines.documents(text)
    arguments = parameters.to_parameters(config, spec, schedule.parameters)
    _without_caching(spec)
    content = [asdict(schedule) | {"config": None}, cron.kfp, spec, platform, arguments]
    plain = json.dumps(content, sort_keys=True, default=str)
    return {
        "cron": cron.kfp,
        "spec": {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec,
        "arguments": arguments,
        "content": hashlib.sha256(plain.encode()).hexdigest()[:16],
    }


def _without_caching(spec: dict[str, Any]) -> None:
    dags = [
        component["dag"]
        for component in (spec["root"], *spec["components"].values())
        if "dag" in component
    ]
    for dag in dags:
        for task in dag["tasks"].values():
            task["cachingOptions"] = {}


def _create_last(
    kfp: Kfp, schedule: Schedule, wanted: Mapping[str, Any], before: Sequence[Applied]
) -> None:
    """Create a schedule that is seen to be later than those `before`: KFP counts whole seconds."""
    enabled = not before or any(applied.enabled for applied in before)
    mark = {"cron": schedule.cron, "zone": schedule.time_zone, "hash": wanted["content"]}
    made = recurring.create(kfp, schedule.name, mark, wanted, enabled=enabled)
    while before and made.created <= before[-1].created:
        recurring.delete(kfp, made)
        time.sleep(1)
        made = recurring.create(kfp, schedule.name, mark, wanted, enabled=enabled)


def _settle(kfp: Kfp, name: str) -> Applied | None:
    """Remove all but the last created of this name and return that one, None where all are gone.

    All who apply at the same time keep the same one, whatever each of them wanted: who looks last
    has seen all of them, and nobody removes the last.
    """
    same_name = recurring.named(kfp, name)
    for older in same_name[:-1]:
        recurring.delete(kfp, older)
    return same_name[-1] if same_name else None


def _switch(kfp: Kfp, name: str, function: Any) -> None:
    kfp.call(f"schedule {name}", function, get(kfp, name).id)
