"""Pods that have their node and do not start. The objects are cut from those of a real cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError
from assay.volcano import follow
from assay.volcano.api import Api
from assay.volcano.starting import PASSING_SECONDS, STUCK_SECONDS, Starting
from assay.volcano.state import JobState, take_pod

MOUNT = 'MountVolume.SetUp failed for volume "own" : secret "none" not found'
REFUSED = 'failed to pull image "r/x:1": dial tcp 127.0.0.1:1: connect: connection refused'
UNKNOWN = 'failed to pull image "r/x:1": r/x:1: not found'


def pod(
    name: str = "p", reason: str = "ContainerCreating", message: str = "", **status: Any
) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    found = {"phase": "Pending", "containerStatuses": [{"image": "r/x:1", "state": state}]}
    return {"metadata": {"name": name, "uid": name}, "spec": {}, "status": {**found, **status}}


def event(reason: str, message: str, name: str = "p") -> dict[str, Any]:
    return {"reason": reason, "message": message, "involvedObject": {"name": name}}


def given_up(
    found: dict[str, Any], events: Sequence[dict[str, Any]] = ()
) -> tuple[float, InputError] | None:
    """Return when a pod that stays as it is is given up, and with what."""
    starting = Starting()
    for now in range(1000):
        starting.take([found], events)
        if error := starting.hopeless([found], float(now)):
            return now, error
    return None


@pytest.mark.parametrize(
    ("found", "said", "remedy", "patience"),
    [
        (pod(reason="ErrImagePull", message=UNKNOWN), "not found", "pull secret", STUCK_SECONDS),
        (
            pod(reason="ErrImagePull", message=REFUSED),
            "connection refused",
            "pull secret",
            PASSING_SECONDS,
        ),
        (
            pod(reason="ImagePullBackOff", message=f"Back-off pulling image: {REFUSED}"),
            "connection refused",
            "pull secret",
            PASSING_SECONDS,
        ),
        (pod(reason="ImagePullBackOff"), "r/x:1", "pull secret", STUCK_SECONDS),
        (
            pod(reason="CreateContainerConfigError", message='secret "none" not found'),
            'secret "none"',
            "Check the Secrets",
            STUCK_SECONDS,
        ),
        (
            pod(
                reason="CreateContainerConfigError",
                message="container has runAsNonRoot and image will run as root",
            ),
            "run as root",
            "Give the image a USER by its number",
            STUCK_SECONDS,
        ),
        (
            pod(
                containerStatuses=[],
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "message": 'persistentvolumeclaim "none" not found.',
                    }
                ],
            ),
            'persistentvolumeclaim "none"',
            "volumes that the task names",
            STUCK_SECONDS,
        ),
    ],
)
def test_what_cannot_start_is_given_up_when_it_had_the_time_to_pass(
    found: dict[str, Any], said: str, remedy: str, patience: float
) -> None:
    ended = given_up(found)
    assert ended
    assert ended[0] == patience + 1
    assert "pod p cannot start: " in ended[1].what
    assert said in ended[1].what
    assert remedy in ended[1].remedy


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([event("FailedMount", MOUNT)], MOUNT),
        (
            [event("FailedMount", "references non-existent secret key: token")],
            "non-existent secret key: token",
        ),
        ([event("FailedMount", MOUNT, "another")], ""),
        ([event("FailedMount", "mount failed: timed out waiting for the server")], ""),
        ([event("Scheduled", MOUNT)], ""),
        ([event("FailedCreatePodSandBox", "failed to set up the network")], ""),
    ],
)
def test_what_the_task_names_and_is_not_there_is_found_in_the_events(
    events: list[dict[str, Any]], told: str
) -> None:
    ended = given_up(pod(), events)
    assert bool(ended) == bool(told)
    assert ended is None or told in ended[1].what


def test_what_a_pod_waits_for_is_told_with_what_the_events_say() -> None:
    starting = Starting()
    assert starting.why(pod()) == "pod p: ContainerCreating"
    starting.take([pod()], [event("FailedAttachVolume", "no such disk")] * 2)
    assert starting.why(pod()) == "pod p: ContainerCreating: no such disk"
    assert starting.why(pod(containerStatuses=[])) == ""


def test_a_pod_that_is_gone_or_has_begun_is_not_waited_for() -> None:
    """Its place was taken by another, which runs: what was said of it stays in the object."""
    cannot = pod(reason="ErrImagePull", message=UNKNOWN)
    gone = {**cannot, "metadata": {**cannot["metadata"], "deletionTimestamp": "gone"}}
    for found in (gone, {**cannot, "status": {**cannot["status"], "phase": "Failed"}}):
        assert given_up(found) is None
    starting = Starting()
    assert not starting.hopeless([cannot], 0.0)
    assert not starting.hopeless([gone], 20.0)
    assert not starting.hopeless([cannot], 40.0), "another one, which has its own time"


def runs(name: str) -> dict[str, Any]:
    return pod(name, phase="Running", containerStatuses=[{"state": {"running": {}}}])


@pytest.mark.parametrize(
    ("minimum", "others", "ends"),
    [(1, [runs("q")], False), (1, [], True), (2, [runs("q")], True)],
)
def test_shards_that_run_go_on_without_one_that_cannot_start(
    minimum: int, others: list[dict[str, Any]], ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"minAvailable": minimum, "tasks": [{"replicas": 2}]}
    job = {"metadata": {"name": "job"}, "spec": spec, "status": {"state": {"phase": "Running"}}}
    state = JobState(api=Api(host="", port=0, account=Path()), stage="generate", job=job)
    monkeypatch.setattr("assay.volcano.state._relay", lambda *_: None)
    for found in (pod(reason="ErrImagePull", message=UNKNOWN), *others):
        take_pod(state, found)
    follow.check_starting(state, 0.0)
    if ends:
        with pytest.raises(InputError, match="pod p cannot start"):
            follow.check_starting(state, STUCK_SECONDS + 1)
    else:
        follow.check_starting(state, STUCK_SECONDS + 1)
    assert state.waits == (not others)
