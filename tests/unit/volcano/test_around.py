"""What is done about a Job whose pods are not all made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError
from assay.volcano import around
from assay.volcano.api import Api
from assay.volcano.explain import FewerPodsError
from assay.volcano.state import JobState, take_pod

FULL = (
    'pods "p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
)
RETRIED = "Job failed on action SyncJob for retry limit reached"


def followed(pods: int, of: int = 4, minimum: int = 1) -> JobState:
    spec = {"minAvailable": minimum, "tasks": [{"replicas": of}]}
    job = {"metadata": {"name": "job", "uid": "u"}, "spec": spec, "status": {}}
    state = JobState(api=Api(host="", port=0, account=Path()), stage="generate", job=job)
    for at in range(pods):
        found = {"metadata": {"name": f"p{at}", "uid": f"{at}"}, "spec": {}, "status": {}}
        take_pod(state, found)
    return state


def reduced(state: JobState, seconds: Sequence[int]) -> int | None:
    """Return to how many pods the Job is reduced, None for never."""
    for now in seconds:
        try:
            around.check_quota(state, float(now))
        except FewerPodsError as error:
            return error.pods
    return None


@pytest.mark.parametrize(
    ("pods", "of", "minimum", "events", "fewer"),
    [
        (2, 4, 1, [FULL], 2),
        (4, 4, 1, [FULL], None),  # of before: now there is room
        (0, 4, 1, [FULL], None),  # it waits
        (1, 2, 2, [FULL], None),  # a gang, which needs all
        (2, 4, 1, ["0/1 nodes are unavailable"], None),
        (2, 4, 1, [], None),
    ],
)
def test_only_shards_are_done_by_the_pods_that_a_quota_lets_be_made(
    pods: int, of: int, minimum: int, events: list[str], fewer: int | None
) -> None:
    state = followed(pods, of, minimum)
    state.events = events
    assert reduced(state, range(1, 25)) is None, "what may pass had no time to"
    assert reduced(state, range(25, 60)) == fewer


def test_a_quota_that_has_room_again_in_between_begins_anew() -> None:
    state = followed(2)
    state.events = [FULL]
    assert reduced(state, range(1, 25)) is None
    state.events = []
    assert reduced(state, [25]) is None
    state.events = [FULL]
    assert reduced(state, range(26, 50)) is None


def event(message: str, uid: str = "u", reason: str = "FailedCreate") -> dict[str, Any]:
    return {
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-26T16:00:02Z",
        "involvedObject": {"kind": "Job", "uid": uid},
    }


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([event(FULL), event(RETRIED, reason="ExecuteAction")], f"has ended the Job: {FULL}"),
        ([event(RETRIED, reason="ExecuteAction")], f"has ended the Job: {around.RETRIED}"),
        ([event(FULL)], ""),
        ([event(FULL, "before"), event(RETRIED, "before", "ExecuteAction")], ""),
        ([], ""),
    ],
)
def test_a_job_that_volcano_gave_up_may_be_made_again(
    found: list[dict[str, Any]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said of a Job before it, of the same name, is not its own."""
    names: list[str] = []

    def request(*_: object, query: dict[str, str]) -> dict[str, Any]:
        names.append(query["fieldSelector"].partition("=")[2])
        return {"items": found if len(names) == 1 else []}

    monkeypatch.setattr(around, "request", request)
    monkeypatch.setattr(around, "events", lambda _: "")
    told = around.given_up(followed(0))
    assert why in told
    assert bool(why) == bool(told)
    assert names == ["job", "job-u"]


def test_but_not_where_it_would_never_be(monkeypatch: pytest.MonkeyPatch) -> None:
    never = FULL.replace("limited: pods=2", "limited: pods=0")
    monkeypatch.setattr(around, "events", lambda _: "")
    monkeypatch.setattr(
        around, "request", lambda *_, **__: {"items": [event(never), event(RETRIED)]}
    )
    with pytest.raises(InputError, match="quota small allows pods=0"):
        around.given_up(followed(0))


def test_it_is_told_with_the_quota_and_how_many_it_lets_be_made() -> None:
    state = followed(3)
    state.events = [FULL]
    around.check_quota(state, 1.0)
    with pytest.raises(FewerPodsError, match=r"quota small lets 3 of 4 pods be made"):
        around.check_quota(state, 60.0)
