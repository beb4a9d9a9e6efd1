"""A Job that says that it restarts, and never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import StageError
from assay.volcano import explain, follow
from assay.volcano.api import Api
from assay.volcano.state import JobState, take_pod


def state(phase: str) -> JobState:
    job = {"metadata": {"name": "job"}, "status": {"state": {"phase": phase}}}
    return JobState(api=Api(host="", port=0, account=Path()), stage="finetune", job=job)


def pod(**more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "uid": "u", **more}, "status": {}}


def ends(followed: JobState, seconds: range) -> int | None:
    """The second at which it is given up, None for never."""
    for now in seconds:
        try:
            follow.check_restart(followed, float(now))
        except explain.TakenAwayError:
            return now
    return None


@pytest.mark.parametrize(
    ("phase", "pods", "given_up"),
    [
        ("Restarting", [], 62),
        ("Restarting", [(pod(), True)], 62),  # its pod was taken away meanwhile
        ("Restarting", [(pod(), False)], None),
        # of several replicas the others are done
        ("Restarting", [({**pod(), "status": {"phase": "Succeeded"}}, False)], 62),
        ("Restarting", [(pod(deletionTimestamp="2026-01-01T00:00:00Z"), False)], None),
        ("Pending", [], None),  # it waits in its queue
        ("Running", [(pod(), True)], None),
    ],
)
def test_only_a_job_without_a_pod_that_does_not_restart_is_made_anew(
    phase: str, pods: list[tuple[dict[str, Any], bool]], given_up: int | None
) -> None:
    followed = state(phase)
    for found, deleted in pods:
        take_pod(followed, found, deleted=deleted)
    assert ends(followed, range(1, 300)) == given_up


def test_the_time_begins_anew_with_each_restart() -> None:
    followed = state("Restarting")
    assert ends(followed, range(1, 50)) is None
    followed.job["status"]["state"]["phase"] = "Running"
    assert ends(followed, range(50, 55)) is None
    followed.job["status"]["state"]["phase"] = "Restarting"
    assert ends(followed, range(55, 200)) == 116


def running(uid: str, **more: Any) -> dict[str, Any]:
    started = {"image": "i", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    return {
        "metadata": {"name": f"job-shard-{uid}", "uid": uid, **more},
        "spec": {"nodeName": "n1", "containers": [{}]},
        "status": {"phase": "Running", "containerStatuses": [started]},
    }


@pytest.mark.parametrize(
    ("together", "others", "is_given_up"),
    [
        (1, [running("2")], False),  # which goes on without it
        (1, [], True),
        (2, [running("2")], True),  # a gang's, which waits for it
    ],
)
def test_a_pod_that_is_lost_with_its_node_keeps_those_waiting_that_need_it(
    together: int, others: list[dict[str, Any]], is_given_up: bool
) -> None:
    followed = state("Running")
    followed.job["spec"] = {"minAvailable": together, "tasks": [{"replicas": 2}]}
    lost = running("1", deletionTimestamp="2026-01-01T00:00:00Z")
    followed.pods = {pod["metadata"]["uid"]: pod for pod in (lost, *others)}
    if is_given_up:
        with pytest.raises(StageError, match="the pod was deleted while it ran on n1"):
            follow.check_lost(followed)
    else:
        follow.check_lost(followed)


@pytest.mark.parametrize(("together", "told"), [(1, 1), (2, 0)])
def test_it_is_told_once_why_a_share_is_taken_away(
    together: int, told: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """A gang waits as a whole, which is told."""
    followed = state("Running")
    followed.job["spec"] = {"minAvailable": together, "tasks": [{"replicas": 2}]}
    taken = pod()
    reason = {"reason": "PreemptionByScheduler", "message": "m"}
    taken["spec"] = {"nodeName": "n1"}
    taken["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", **reason}]
    for _ in range(2):
        take_pod(followed, taken)
    line = "finetune: p: the pod was taken off n1: a pod of a higher priority took its place"
    assert capfd.readouterr().out.count(line) == told
