"""Runs on a cluster: submit, status, logs, cancel."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from assay.cluster import parameters, pipelines
from assay.cluster.client import Kfp
from assay.config import Config
from assay.errors import InputError, KfpError

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]
FINAL = ("SUCCEEDED", "FAILED", "CANCELED")
NOT_FOUND = 404
# KFP keeps whole seconds: only when one is over is it known which of several runs was the first.
SETTLED = 1.5
YOUNG = timedelta(seconds=5)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What the server, its launcher and Argo print around a component's own lines.
_NOISE = re.compile(r'^([IWEF]\d{4} |time="|\[KFP Executor|\s*$)')


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a run. `key` is KFP's name for it, `nodes` are Argo's names for what it ran."""

    key: str
    name: str
    state: str
    started: datetime | None = None
    finished: datetime | None = None
    nodes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the server tells it; times are UTC."""

    id: str
    name: str
    state: State
    created: datetime
    finished: datetime | None
    error: str
    tasks: Sequence[Task]
    link: str
    recurring_run_id: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL


def submit(
    kfp: Kfp,
    config: Config,
    *,
    name: str,
    once: bool = False,
    given: Mapping[str, Any] | None = None,
) -> Run:
    """Start a run of what `config` says and return it; `given` as in `to_parameters`.

    With `once`, a run of the same content that goes on or has succeeded is returned instead; of
    several submitted at the same time one remains. Raises InputError before anything is created.
    """
    text = pipelines.compiled(parameters.pipeline_of(config), kfp.connection.registry)
    arguments = parameters.to_parameters(config, pipelines.spec(text), given)
    marker = f"content {_digest(text, arguments)}"
    experiment = experiment_id(kfp)
    if once and (known := _first(kfp, experiment, marker)):
        return get(kfp, known)
    version = pipelines.upload(kfp, text)
    created = _create(kfp, version, experiment, name, marker, arguments)
    if once:
        first = _first(kfp, experiment, marker)
        if first != created.run_id:  # another submit was faster
            kfp.call("the run", kfp.client.runs.run_service_terminate_run, created.run_id)
            kfp.call("the run", kfp.client.runs.run_service_delete_run, created.run_id)
            return get(kfp, first)
    return read_run(kfp, created, {})


def get(kfp: Kfp, run_id: str, titles: Mapping[str, str] | None = None) -> Run:
    """Return a run with its tasks; `titles` name them (see `task_titles`). Raises KfpError."""
    answer = kfp.call(f"run {run_id}", kfp.client.runs.run_service_get_run, run_id)
    return read_run(kfp, answer, task_titles(kfp, answer) if titles is None else titles)


def find(kfp: Kfp, run: str) -> str:
    """Return the id of a run named by its id or by its name (of several, the newest)."""
    if _UUID.fullmatch(run):
        return run
    answer = kfp.call(
        "runs",
        kfp.client.runs.run_service_list_runs,
        filter=pipelines.equals("display_name", run),
        sort_by="created_at desc",
        page_size=1,
        **_space(kfp),
    )
    if not answer.runs:
        raise KfpError(f"there is no run {run}", "Give its id or its name", NOT_FOUND)
    return str(answer.runs[0].run_id)


def cancel(kfp: Kfp, run_id: str) -> None:
    """End a run and everything that it started. Raises InputError where it has ended already."""
    answer = kfp.call(f"run {run_id}", kfp.client.runs.run_service_get_run, run_id)
    if answer.state == "CANCELING":
        return
    run = read_run(kfp, answer, {})
    if run.ended:
        raise InputError(f"run {run.name} has ended: {run.state}", "There is nothing to cancel")
    kfp.call(f"the end of run {run_id}", kfp.client.runs.run_service_terminate_run, run_id)


def log(kfp: Kfp, run_id: str, task: Task) -> list[str]:
    """Return the lines that a task has written so far; none where its pod has not started."""
    for node in task.nodes:
        for pod in _pods(node):
            text = _read_log(kfp, run_id, pod)
            if text is not None:
                return [line for line in text.splitlines() if not _NOISE.match(line)]
    return []


def task_titles(kfp: Kfp, answer: Any) -> dict[str, str]:
    """Return the titles of a run's tasks, in order, from its pipeline; {} where that is gone."""
    spec = answer.pipeline_spec
    reference = answer.pipeline_version_reference
    if spec is None and reference is not None:
        try:
            spec = kfp.call(
                "the pipeline of the run",
                kfp.client.pipelines.pipeline_service_get_pipeline_version,
                reference.pipeline_id,
                reference.pipeline_version_id,
            ).pipeline_spec
        except KfpError as error:
            if error.status != NOT_FOUND:
                raise
    spec = (spec or {}).get("pipeline_spec", spec or {})
    return pipelines.titles(spec) if "root" in spec else {}


def read_run(kfp: Kfp, answer: Any, titles: Mapping[str, str]) -> Run:
    """Return the server's `answer` as a Run."""
    details = answer.run_details.task_details if answer.run_details else None
    return Run(
        id=answer.run_id,
        name=answer.display_name,
        state=_state(answer),
        created=answer.created_at,
        finished=_time(answer.finished_at),
        error=answer.error.message if answer.error else "",
        tasks=_tasks(details or [], titles),
        link=kfp.link(f"runs/details/{answer.run_id}"),
        recurring_run_id=answer.recurring_run_id or "",
    )


def experiment_id(kfp: Kfp) -> str:
    """Return the id of the connection's experiment, made where there is none yet."""
    name, experiments = kfp.connection.experiment, kfp.client.experiments
    while True:
        found = kfp.every(
            "experiments",
            experiments.experiment_service_list_experiments,
            "experiments",
            filter=pipelines.equals("display_name", name),
            **_space(kfp),
        )
        if found:
            return str(found[0].experiment_id)
        wanted = kfp.client.api_models.V2beta1Experiment(display_name=name, namespace=kfp.namespace)
        try:
            made = kfp.call(
                f"experiment {name}",
                experiments.experiment_service_create_experiment,
                experiment=wanted,
            )
            return str(made.experiment_id)
        except KfpError as error:
            if error.status != pipelines.CONFLICT:
                raise


def _create(
    kfp: Kfp,
    version: pipelines.Version,
    experiment: str,
    name: str,
    marker: str,
    arguments: Mapping[str, Any],
) -> Any:
    models = kfp.client.api_models
    run = models.V2beta1Run(
        experiment_id=experiment,
        display_name=name,
        description=marker,
        pipeline_version_reference=models.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.version_id
        ),
        runtime_config=models.V2beta1RuntimeConfig(parameters=dict(arguments)),
        service_account=kfp.connection.service_account or None,
    )
    return kfp.call(f"the run {name}", kfp.client.runs.run_service_create_run, run=run)


def _digest(text: str, arguments: Mapping[str, Any]) -> str:
    plain = json.dumps([pipelines.content(text), arguments], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _first(kfp: Kfp, experiment: str, marker: str) -> str:
    """Return the id of the first run with this content that goes on or has succeeded, "" where
    there is none. A run that is no older than a moment may not stay the first: then wait."""
    live = _live(kfp, experiment, marker)
    if live and abs(datetime.now(UTC) - live[0].created_at) < YOUNG:
        time.sleep(SETTLED)
        live = _live(kfp, experiment, marker)
    return str(live[0].run_id) if live else ""


def _live(kfp: Kfp, experiment: str, marker: str) -> list[Any]:
    """Return the runs with this content that go on or have succeeded, the oldest first."""
    found = kfp.every(
        "runs",
        kfp.client.runs.run_service_list_runs,
        "runs",
        experiment_id=experiment,
        filter=pipelines.equals("description", marker, storage_state="AVAILABLE"),
        **_space(kfp),
    )
    live = [run for run in found if _state(run) not in ("FAILED", "CANCELED")]
    return sorted(live, key=lambda run: (run.created_at, run.run_id))


def _space(kfp: Kfp) -> dict[str, str]:
    return {"namespace": kfp.namespace} if kfp.namespace else {}


def _state(answer: Any) -> State:
    """Return the state of a run; KFP calls a terminated one FAILED, and its history tells."""
    history = [one.state for one in answer.state_history or []]
    state = answer.state or "PENDING"
    if state in ("CANCELED", "CANCELING") or (state == "FAILED" and "CANCELING" in history):
        return "CANCELED" if state != "CANCELING" else "RUNNING"
    if state in ("SUCCEEDED", "SKIPPED"):
        return "SUCCEEDED"
    return {"RUNNING": "RUNNING", "FAILED": "FAILED"}.get(state, "PENDING")  # type: ignore[return-value]


def _time(value: datetime | None) -> datetime | None:
    """Return `value`, None where the server gave no time or its zero."""
    return None if value is None or value <= datetime.fromtimestamp(0, UTC) else value


def _tasks(details: Sequence[Any], titles: Mapping[str, str]) -> list[Task]:
    """Return the tasks that people know out of Argo's nodes, which are more."""
    nodes = {one.display_name: one for one in details}
    found = []
    for key, title in titles.items():
        one = nodes.get(key)
        found.append(
            Task(
                key=key,
                name=title,
                state=(one.state if one else None) or "PENDING",
                started=_time(one.start_time) if one else None,
                finished=_time(one.end_time) if one else None,
                nodes=[c.pod_name for c in (one.child_tasks if one else None) or [] if c.pod_name],
            )
        )
    return found


def _pods(node: str) -> list[str]:
    """Return the names that the pod of an Argo node may have: of the template, or of the node."""
    workflow, _, hash_ = node.rpartition("-")
    return [f"{workflow}-system-container-impl-{hash_}", node]


def _read_log(kfp: Kfp, run_id: str, pod: str) -> str | None:
    api = kfp.client.runs.api_client
    answer = kfp.call(
        "the log",
        api.call_api,
        f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log",
        "GET",
        auth_settings=["Bearer"],
        _return_http_data_only=True,
        _preload_content=False,
    )
    text = str(answer.data.decode("utf-8", "replace"))
    return None if text.lstrip().startswith('{"error_message"') else text
