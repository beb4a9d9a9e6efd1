"""What no watch tells of a Job that waits: its queue, and the events."""

from __future__ import annotations

from collections.abc import Iterable

from assay.volcano import waiting
from assay.volcano.api import ApiError, events, queue, request
from assay.volcano.explain import FewerPodsError
from assay.volcano.pods import Object
from assay.volcano.starting import STUCK_SECONDS, to_begin
from assay.volcano.state import JobState

MOST_PODS = 3  # of which the events are read: what one waits for, others do
NOT_FOUND = 404
RETRIED = "retry limit reached"  # Volcano's, of what it has tried for about three minutes
OPEN = "Open"


def look_around(state: JobState, now: float) -> None:
    """Look at what no watch tells, of a Job that waits or whose pods are not all made. Raises
    InputError for a hopeless one, FewerPodsError for one that goes on with those that there are."""
    if state.made < state.count:
        _look_at_events(state)
        check_quota(state, now)
    if not state.waits:
        return
    _look_at_pods(state)
    before = state.closed
    state.closed = _closed(state)
    if state.closed and not before:
        state.closed_since = now


def check_quota(state: JobState, now: float) -> None:
    """Raise FewerPodsError where a quota has kept pods of shards from being made for a while: after
    three minutes of that Volcano would end the Job, with those that work."""
    lacks = state.has_shards and 0 < state.made < state.count
    quota = waiting.quota_in(state.events) if lacks else ""
    state.lacking_since = (state.lacking_since or now) if quota else 0.0
    if quota and now - state.lacking_since > STUCK_SECONDS:
        raise FewerPodsError(
            f"the namespace's quota {quota} lets {state.made} of {state.count} pods be made: these "
            "alone answer all, in a new Job",
            state.made,
        )


def given_up(state: JobState) -> str:
    """Return why Volcano has ended the Job where that is because its pods could not be made, "" for
    anything else. Raises InputError for what will never be."""
    found = _of_job(state) or []
    if not any(RETRIED in event.get("message", "") for event in found):
        return ""
    state.events = waiting.said_by(found)
    if hopeless := waiting.hopeless(state.events, state.together):
        raise hopeless
    return f"Volcano has ended the Job: {'; '.join(state.events) or RETRIED}"


def _closed(state: JobState) -> str:
    """Return that the Job's queue is not open, "" where it is, and what was known of it where that
    cannot be seen."""
    name = state.job["spec"]["queue"]
    try:
        found = request(state.api, "GET", queue(name))
    except ApiError as error:
        return f"the queue {name} is gone" if error.status == NOT_FOUND else state.closed
    standing = found.get("status", {}).get("state") or OPEN
    return "" if standing == OPEN else f"the queue {name} is {standing}"


def _look_at_events(state: JobState) -> None:
    """Read what Volcano says of a Job whose pods are not all made."""
    found = _of_job(state)
    if found is None:
        return
    state.events = waiting.said_by(found)
    if hopeless := waiting.hopeless(state.events, state.together):
        raise hopeless


def _of_job(state: JobState) -> list[Object] | None:
    """Return the events of the Job and its PodGroup; one before it had the same name."""
    uid = state.job["metadata"]["uid"]
    found = _events(state, (state.name, f"{state.name}-{uid}"))
    return found and [
        event
        for event in found
        if event["involvedObject"].get("kind") != "Job" or event["involvedObject"].get("uid") == uid
    ]


def _look_at_pods(state: JobState) -> None:
    """Read what the kubelet says of pods that have their node and do not start."""
    slow = [pod for pod in to_begin(state.pods.values()) if pod["spec"].get("nodeName")][:MOST_PODS]
    found = _events(state, [pod["metadata"]["name"] for pod in slow])
    if found is not None:
        state.starting.take(slow, found)


def _events(state: JobState, names: Iterable[str]) -> list[Object] | None:
    """Return the events of objects by their names, None while the API server does not answer."""
    listed: list[Object] = []
    for name in names:
        query = {"fieldSelector": f"involvedObject.name={name}"}
        try:
            listed += request(state.api, "GET", events(state.api), query=query)["items"]
        except ApiError as error:
            if error.passing:
                return None
            raise
    return listed
