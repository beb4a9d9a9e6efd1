"""Runs on a cluster: their state, their tasks, and their end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from assay.errors import InputError, KfpError
from assay.kubeflow import argo, pipelines
from assay.kubeflow.client import Kfp

RunState = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]
FINAL = ("SUCCEEDED", "FAILED", "CANCELED")
NOT_FOUND = 404
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a run. `key` is KFP's name for it, `pods` the names that its pod may have."""

    key: str
    name: str
    state: str
    started: datetime | None = None
    finished: datetime | None = None
    pods: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the server tells it; times are UTC."""

    id: str
    name: str
    state: RunState
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
        **space(kfp),
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
    nodes = answer.run_details.task_details if answer.run_details else None
    # among them is a record of each result that KFP may reuse, without a name
    details = [detail for detail in nodes or [] if detail.display_name]
    state = state_of(answer)
    error = answer.error.message if answer.error else ""
    return Run(
        id=answer.run_id,
        name=answer.display_name,
        state=state,
        created=answer.created_at,
        finished=_time(answer.finished_at),
        error=error or (_driver_error(details) if state == "FAILED" else ""),
        tasks=_tasks(details, titles, state, _canceled_at(answer)),
        link=kfp.link(f"runs/details/{answer.run_id}"),
        recurring_run_id=answer.recurring_run_id or "",
    )


def _driver_error(details: Sequence[Any]) -> str:
    """Return which of KFP's own steps before the tasks failed, "" where none did."""
    failed = (detail.display_name for detail in details if detail.state == "FAILED")
    name = next((name for name in failed if name.endswith("driver")), "")
    return f"KFP's own step {name} failed" if name else ""


def space(kfp: Kfp) -> dict[str, str]:
    """Return the argument that names the user's namespace, where KFP has many users."""
    return {"namespace": kfp.namespace} if kfp.namespace else {}


def state_of(answer: Any) -> RunState:
    """Return the state of a run; KFP calls a terminated one FAILED, and its history tells."""
    state = answer.state or "PENDING"
    if state in ("CANCELED", "CANCELING") or (state == "FAILED" and _canceled_at(answer)):
        return "CANCELED" if state != "CANCELING" else "RUNNING"
    if state in ("SUCCEEDED", "SKIPPED"):
        return "SUCCEEDED"
    return {"RUNNING": "RUNNING", "FAILED": "FAILED"}.get(state, "PENDING")  # type: ignore[return-value]


def _canceled_at(answer: Any) -> datetime | None:
    """Return when somebody canceled the run, None where nobody did."""
    history = answer.state_history or []
    return next((change.update_time for change in history if change.state == "CANCELING"), None)


def _time(value: datetime | None) -> datetime | None:
    """Return `value`, None where the server gave no time or its zero."""
    return None if value is None or value <= datetime.fromtimestamp(0, UTC) else value


def _tasks(
    details: Sequence[Any], titles: Mapping[str, str], state: RunState, canceled: datetime | None
) -> list[Task]:
    """Return the tasks that people know out of Argo's nodes, which are more; those that have no
    node, or one that tells no state, are yet to come or never will."""
    nodes, pods = {node.display_name: node for node in details}, argo.pods(details)
    absent = "SKIPPED" if state in FINAL else "PENDING"
    # a node that never came about has no state
    states = {key: node for key, node in nodes.items() if node.state}
    tasks = []
    for key, title in _once(titles, states).items():
        reached = states.get(key)
        tasks.append(
            Task(
                key=key,
                name=title,
                state=_state_of_task(reached, canceled) if reached else absent,
                started=_time(reached.start_time) if reached else None,
                finished=_time(reached.end_time) if reached else None,
                pods=pods.get(key, ()),
            )
        )
    return tasks


def _once(titles: Mapping[str, str], reached: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles without the tasks of a branch that was not taken, where the other branch
    has the task too."""
    keys: dict[str, list[str]] = {}
    for key, title in titles.items():
        keys.setdefault(title, []).append(key)
    taken = {
        title: [key for key in same if key in reached] or same[:1] for title, same in keys.items()
    }
    return {key: title for key, title in titles.items() if key in taken[title]}


def _state_of_task(node: Any, canceled: datetime | None) -> str:
    """Return a task's state: what was stopped by the run's end counts as failed with KFP."""
    ended = _time(node.end_time)
    if node.state == "FAILED" and canceled and ended and ended >= canceled:
        return "CANCELED"
    return str(node.state)
