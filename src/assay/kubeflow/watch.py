"""Follow a run until it ends, as progress events: one request a second at most."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from assay import progress
from assay.errors import KfpError
from assay.kubeflow import runs, task_logs
from assay.kubeflow.client import Kfp
from assay.kubeflow.clock import Clock
from assay.kubeflow.runs import Run, Task
from assay.progress import Progress
from assay.settings import redacted

T = TypeVar("T")

EVERY = 1.0  # seconds between two requests
PATIENCE = 15.0  # the longest pause between two tries to reach a lost server, seconds
NOTE = 100  # characters
_WORKER = re.compile(r"^\[[\w.-]+\] ")  # before the lines of each of several pods
STATES: dict[str, progress.State] = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "CANCELED": "failed",
}


def watch(kfp: Kfp, run_id: str, listen: progress.Listener = progress.ignore) -> Run:
    """Tell `listen` what changes in a run until it has ended, and return it.

    A lost connection is told and tried again until it is back. Raises KfpError for a run that
    there is not, and where KFP no longer lets this user in.
    """
    ask = _Asking(kfp.clock, listen)
    answer = ask(lambda: kfp.call("the run", kfp.client.runs.run_service_get_run, run_id))
    titles = ask(lambda: runs.task_titles(kfp, answer))
    told: dict[str, Progress] = {}
    logs = _turns(kfp.clock)
    while True:
        run = ask(lambda: runs.get(kfp, run_id, titles))
        for task in run.tasks:
            for event in _events(task, kfp.clock.now()):
                _tell(event, told, listen)
        if run.ended:
            return run
        if running := logs(run.tasks):
            lines = ask(partial(task_logs.read, kfp, run_id, running))
            for event in _read(running, lines):
                _tell(event, told, listen)


class _Asking:
    """Asks the server, at most once in EVERY seconds, until it answers."""

    def __init__(self, clock: Clock, listen: progress.Listener) -> None:
        self._clock = clock
        self._listen = listen
        self._last = -EVERY

    def __call__(self, question: Callable[[], T]) -> T:
        pause = EVERY
        while True:
            self._clock.sleep(max(0.0, self._last + EVERY - self._clock.steady()))
            self._last = self._clock.steady()
            try:
                return question()
            except KfpError as error:
                if 0 < error.status < 500:
                    raise
                self._listen(Progress(stage="connection", note=f"{error.what}; trying again"))
                self._clock.sleep(pause)
                pause = min(2 * pause, PATIENCE)


def _turns(clock: Clock) -> Callable[[Sequence[Task]], Task | None]:
    """Return a function that names the running task whose log was read longest ago."""
    read: dict[str, float] = {}

    def next_of(tasks: Sequence[Task]) -> Task | None:
        running = [task for task in tasks if task.state == "RUNNING" and task.pods]
        if not running:
            return None
        task = min(running, key=lambda task: read.get(task.key, 0.0))
        read[task.key] = clock.steady()
        return task

    return next_of


def _events(task: Task, now: float) -> Iterator[Progress]:
    """Return when a task has begun, and, where it has ended, when and how."""
    state = STATES.get(task.state)
    if state is None:
        return
    yield Progress(stage=task.name, state="running", time=_seconds(task.started, now))
    if state != "running":
        note = "canceled" if task.state == "CANCELED" else ""
        yield Progress(stage=task.name, state=state, note=note, time=_seconds(task.finished, now))


def _seconds(at: datetime | None, now: float) -> float:
    return at.timestamp() if at else now


def _read(task: Task, lines: Sequence[str]) -> Iterator[Progress]:
    """Return what a task's log tells of it: its last progress, why it waits, or its last line."""
    for line in reversed(lines):
        plain = _WORKER.sub("", line)
        event = progress.read_line(plain)
        if event and event.stage == progress.STORE and event.state == "running":
            yield Progress(stage=task.name, note=plain[:NOTE])
            return
        if event:
            side = "" if event.side in task.name else event.side
            # the task itself ends when KFP says so
            yield replace(event, stage=task.name, side=side, state="running")
            return
        if ": waiting: " in plain:
            yield Progress(stage=task.name, note=redacted(plain.partition(": ")[2])[:NOTE])
            return
    if lines:
        yield Progress(stage=task.name, note=redacted(lines[-1].strip())[:NOTE])


def _tell(event: Progress, told: dict[str, Progress], listen: progress.Listener) -> None:
    """Pass on what is new; the count of a task stays when KFP tells only its state."""
    key = progress.name(event)
    last = told.get(key)
    if last and event.state == "running" and not (event.total or event.note):
        return
    if last and not event.total:
        event = replace(event, done=last.done, total=last.total, unit=last.unit)
    if last is None or replace(event, time=0.0) != replace(last, time=0.0):
        told[key] = event
        listen(event)
