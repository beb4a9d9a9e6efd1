"""A Job that says that it restarts, and never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
