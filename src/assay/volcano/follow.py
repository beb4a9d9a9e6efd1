"""Follow a Job to its end."""

from __future__ import annotations

import queue
import threading
import time

from assay.errors import InputError, StageError
from assay.placement import ClusterSettings
from assay.volcano import explain
from assay.volcano.api import PATIENCE_SECONDS, Api, patiently, pods, request
from assay.volcano.around import given_up, look_around
from assay.volcano.observe import Changes, Object, observe
from assay.volcano.state import JobState, check_relays, last_lines, take, take_pod, tell
from assay.volcano.work import Ending

ENDED = "Terminated"
OVER = {"Completed", "Failed", ENDED, "Aborted"}
FORGOTTEN_SECONDS = 60.0
EVENTS_SECONDS = 10.0
DRAIN_SECONDS = 300.0


def follow(api: Api, job: Object, stage: str, settings: ClusterSettings, begun: float) -> Ending:
    """Relay the Job's logs and tell why it waits until it ends; return its first pod's ending.

    The settings bound, in seconds, waiting and running together since the monotonic time `begun`
    (`timeout_s`, 0 for no limit), and waiting in a queue that is not open (`closed_s`). Raises
    InputError or StageError with the cause where the Job failed, cannot start, or takes longer.
    """
    state = JobState(api=api, stage=stage, job=job)
    changes: Changes = queue.SimpleQueue()
    stop = threading.Event()
    observe(api, job, changes, stop)
    try:
        _until_over(state, changes, settings, begun)
    finally:
        stop.set()
    return _ending(state)


def _until_over(state: JobState, changes: Changes, settings: ClusterSettings, begun: float) -> None:
    heard = time.monotonic()
    looked = heard - EVENTS_SECONDS + 2
    while state.phase not in OVER:
        now = time.monotonic()
        try:
            take(state, changes.get(timeout=1.0))
            heard = now
        except queue.Empty:
            _check_silence(state, now - heard)
        if (state.waits or state.made < state.count) and now - looked > EVENTS_SECONDS:
            looked = now
            look_around(state, now)
        check_starting(state, now)
        check_relays(state)
        tell(state, now)
        check_restart(state, now)
        check_lost(state)
        _check_time(state, settings, begun, now)


def check_starting(state: JobState, now: float) -> None:
    """Raise InputError where a pod cannot be started as it is, unless others go on without it."""
    hopeless = state.starting.hopeless(state.pods.values(), now)
    if hopeless and not state.goes_on:
        raise hopeless


def check_lost(state: JobState) -> None:
    """Raise StageError where a pod is lost with its node, unless others go on without it."""
    if explain.is_lost(state.pods.values()) and not state.goes_on:
        raise explain.failed(state.stage, state.job, state.pods.values(), last_lines(state))


def check_restart(state: JobState, now: float) -> None:
    """Raise TakenAwayError for a Job that restarts, as it says, and has had no pod for a while but
    such as are done: where its pod goes as it restarts, Volcano may take no notice of it any more.
    """
    gone = all(
        pod["metadata"].get("deletionTimestamp") == explain.GONE
        or pod["status"].get("phase") == "Succeeded"
        for pod in state.pods.values()
    )
    if state.phase != "Restarting" or not gone:
        state.forgotten_since = 0.0
        return
    state.forgotten_since = state.forgotten_since or now
    if now - state.forgotten_since > FORGOTTEN_SECONDS:
        raise explain.TakenAwayError(
            f"Volcano has not restarted the Job, which has no pod, within {FORGOTTEN_SECONDS:.0f} s"
        )


def _check_time(state: JobState, settings: ClusterSettings, begun: float, now: float) -> None:
    if settings.timeout_s and now - begun > settings.timeout_s:
        raise _too_late(state, settings.timeout_s)
    if state.waits and state.closed and now - state.closed_since > settings.closed_s:
        raise InputError(
            f"{state.stage}: {state.closed}, and the Job has waited in it for "
            f"{now - state.closed_since:.0f} s",
            "Have it opened, or correct cluster.queue, then run it again",
        )


def _check_silence(state: JobState, seconds: float) -> None:
    if seconds > PATIENCE_SECONDS:
        raise StageError(
            f"{state.stage}: the API server was silent for {PATIENCE_SECONDS:.0f} s",
            "Try again: the Job goes on meanwhile",
        )


def _too_late(state: JobState, timeout: float) -> StageError:
    why = f": {state.why.rstrip('.')}" if state.waits and state.why else ""
    return StageError(
        f"{state.stage}: the Job was not done within {timeout:.0f} s{why}",
        "Raise cluster.timeout_s, or ask for less",
    )


def _ending(state: JobState) -> Ending:
    """Wait for the last lines of the logs, and return the first pod's ending or raise."""
    query = {"labelSelector": f"volcano.sh/job-name={state.name}"}
    left = patiently(lambda: request(state.api, "GET", pods(state.api), query=query))
    for pod in left["items"]:
        if pod["metadata"]["ownerReferences"][0]["uid"] == state.job["metadata"]["uid"]:
            take_pod(state, pod)
    for relay, thread in state.relays.values():
        thread.join(DRAIN_SECONDS)
        if thread.is_alive():
            relay.give_up(f"it did not end within {DRAIN_SECONDS:.0f} s of the Job")
    check_relays(state)
    endings = (explain.ending_of(pod) for pod in state.pods.values())
    complete = [ending for ending in endings if ending and ending.metadata]
    if complete:  # also of a Job that was ended just then: the result is published
        return complete[-1]
    if state.phase == "Completed":
        return Ending()
    if state.phase == ENDED and (why := given_up(state)):
        raise explain.TakenAwayError(why)
    raise explain.failed(state.stage, state.job, state.pods.values(), last_lines(state))
