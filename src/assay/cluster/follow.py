"""Follow a Job to its end."""

from __future__ import annotations

import queue
import threading
import time

from assay.cluster import explain, waiting
from assay.cluster.api import (
    PATIENCE_SECONDS,
    Api,
    ApiError,
    events,
    patiently,
    pods,
    request,
)
from assay.cluster.view import View, check_relays, last_lines, take, take_pod, tell
from assay.cluster.watches import Changes, Object, observe
from assay.cluster.work import Answer
from assay.errors import StageError

OVER = {"Completed", "Failed", "Terminated", "Aborted"}
STUCK_SECONDS = 30.0
EVENTS_SECONDS = 10.0
DRAIN_SECONDS = 300.0


def follow(api: Api, job: Object, stage: str, timeout: float) -> Answer:
    """Relay the Job's logs and tell why it waits until it ends; return its first pod's answer.

    `timeout` is in seconds, 0 for none. Raises InputError or StageError with the cause where the
    Job failed, cannot start, or takes longer.
    """
    view = View(api=api, stage=stage, job=job)
    changes: Changes = queue.SimpleQueue()
    stop = threading.Event()
    observe(api, job, changes, stop)
    try:
        _until_over(view, changes, timeout)
    finally:
        stop.set()
    return _ending(view)


def _until_over(view: View, changes: Changes, timeout: float) -> None:
    started = heard = time.monotonic()
    looked, stuck = started - EVENTS_SECONDS + 2, 0.0
    while view.phase not in OVER:
        now = time.monotonic()
        try:
            take(view, changes.get(timeout=1.0))
            heard = now
        except queue.Empty:
            _check_silence(view, now - heard)
        if not view.pods and now - looked > EVENTS_SECONDS:
            looked = now
            _look_at_events(view)
        if error := waiting.cannot_start(view.pods.values()):
            stuck = stuck or now
            if now - stuck > STUCK_SECONDS:
                raise error
        else:
            stuck = 0.0
        check_relays(view)
        tell(view)
        if explain.is_lost(view.pods.values()):
            raise explain.failed(view.stage, view.job, view.pods.values(), last_lines(view))
        if timeout and now - started > timeout:
            raise _too_late(view, timeout)


def _check_silence(view: View, seconds: float) -> None:
    if seconds > PATIENCE_SECONDS:
        raise StageError(
            f"{view.stage}: the API server was silent for {PATIENCE_SECONDS:.0f} s",
            "Try again: the Job goes on meanwhile",
        )


def _too_late(view: View, timeout: float) -> StageError:
    why = f": {view.said}" if view.said else ""
    return StageError(
        f"{view.stage}: the Job was not done within {timeout:.0f} s{why}",
        "Raise cluster.timeout_s, or ask for less",
    )


def _look_at_events(view: View) -> None:
    """Read what Volcano says of a Job that has no pods. Raises InputError for a hopeless one."""
    group = f"{view.name}-{view.job['metadata']['uid']}"
    found = []
    try:
        for name in (view.name, group):
            query = {"fieldSelector": f"involvedObject.name={name}"}
            found += request(view.api, "GET", events(view.api), query=query)["items"]
    except ApiError as error:
        if error.passing:
            return
        raise
    view.events = waiting.said_by(found)
    if hopeless := waiting.hopeless(view.events):
        raise hopeless


def _ending(view: View) -> Answer:
    """Wait for the last lines of the logs, and return the first pod's answer or raise."""
    query = {"labelSelector": f"volcano.sh/job-name={view.name}"}
    left = patiently(lambda: request(view.api, "GET", pods(view.api), query=query))
    for pod in left["items"]:
        if pod["metadata"]["ownerReferences"][0]["uid"] == view.job["metadata"]["uid"]:
            take_pod(view, pod)
    for _, thread in view.relays.values():
        thread.join(DRAIN_SECONDS)
    check_relays(view)
    if view.phase == "Completed":
        answers = (explain.answer_of(pod) for pod in view.pods.values())
        found = [answer for answer in answers if answer and answer.metadata]
        return found[-1] if found else Answer()
    raise explain.failed(view.stage, view.job, view.pods.values(), last_lines(view))
