"""Causes in words. The objects are cut from those that a real cluster gave."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import InputError, StageError
from assay.store import to_json
from assay.volcano import explain, waiting
from assay.volcano.work import MESSAGE_BYTES, Ending, failure, read_ending

JOB = {"status": {"state": {"phase": "Terminated"}}}


def pod(
    name: str = "job-master-0", ended: dict[str, Any] | None = None, **status: Any
) -> dict[str, Any]:
    containers = [{"image": "i", "state": {"terminated": ended}}] if ended else []
    return {
        "metadata": {"name": name},
        "spec": {
            "nodeName": "n1",
            "containers": [{"resources": {"limits": {"memory": "1Gi"}}}],
        },
        "status": {"phase": "Failed", "containerStatuses": containers, **status},
    }


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (pod(ended={"exitCode": 137, "reason": "OOMKilled"}), "OOMKilled), its limit is 1Gi"),
        (pod(ended={"exitCode": 137, "reason": "Error"}), "was ended by SIGKILL"),
        (pod(ended={"exitCode": 3, "reason": "Error"}), "failed with exit code 3"),
        (pod(reason="Evicted", message="The node was low on memory."), "lost on n1 (Evicted: The"),
        (
            pod(
                conditions=[
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "DeletionByTaintManager",
                        "message": "Taint manager: deleting due to NoExecute taint",
                    }
                ]
            ),
            "taken off n1 (DeletionByTaintManager: Taint manager",
        ),
    ],
)
def test_the_cause_of_a_failure(found: dict[str, Any], told: str) -> None:
    error = explain.failed("finetune", JOB, [found], {"job-master-0": ["last", "words"]})
    assert isinstance(error, StageError)
    assert told in error.what
    assert "pod job-master-0" in error.what
    assert error.what.endswith("the end of its log:\n  last\n  words")


def test_the_pod_that_failed_first_is_the_cause() -> None:
    later = pod("b", {"exitCode": 143, "finishedAt": "2026-01-01T00:00:09Z"})
    first = pod("a", {"exitCode": 1, "finishedAt": "2026-01-01T00:00:01Z"})
    assert "pod a" in explain.failed("finetune", JOB, [later, first], {}).what


@pytest.mark.parametrize(("code", "kind"), [(1, StageError), (2, InputError)])
def test_what_the_worker_says_is_the_cause(code: int, kind: type[Exception]) -> None:
    said = to_json(Ending(exit_code=code, what="no such template", remedy="Correct it")).decode()
    found = pod(ended={"exitCode": code, "message": said})
    error = explain.failed("finetune", JOB, [found], {})
    assert type(error) is kind
    assert error.what == f"no such template (pod job-master-0, exit code {code})"
    assert error.remedy == "Correct it"


def test_a_long_error_fits_into_a_termination_message() -> None:
    error = StageError("ü" * 5000, "Do it again")
    written = to_json(failure(error))
    assert MESSAGE_BYTES - 1 < len(written) < 4096
    answer = read_ending(written.decode())
    assert answer is not None
    assert (answer.exit_code, answer.remedy) == (1, "Do it again")
    assert read_ending("Traceback (most recent call last)") is None
    assert read_ending('{"loss": 1}') is None


QUOTA = (
    'pods "p" is forbidden: exceeded quota: small, requested: requests.memory=2Gi, '
    "used: requests.memory={}, limited: requests.memory={}"
)


@pytest.mark.parametrize(
    ("used", "limited", "never"), [("0", "1Gi", True), ("0", "1536Mi", True), ("3Gi", "4Gi", False)]
)
def test_only_a_quota_that_never_suffices_is_hopeless(used: str, limited: str, never: bool) -> None:
    assert bool(waiting.hopeless([QUOTA.format(used, limited)])) == never


@pytest.mark.parametrize(
    ("asked", "limited", "never"),
    [
        ("requests.cpu=2e-1", "requests.cpu=1e-1", True),
        ("requests.cpu=1e-1", "requests.cpu=2e-1", False),
        ("requests.cpu=2,requests.memory=1Gi", "requests.cpu=-1,requests.memory=2Gi", True),
        ("requests.cpu=2", "requests.cpu=lots", False),
        ("requests.cpu=lots", "requests.cpu=1", False),
        ("requests.nvidia.com/gpu=2", 'requests.nvidia.com/gpu=1"', True),
    ],
)
def test_a_quota_may_be_of_any_form(asked: str, limited: str, never: bool) -> None:
    said = f"exceeded quota: small, requested: {asked}, used: requests.cpu=0, limited: {limited}"
    assert bool(waiting.hopeless([said])) == never


def test_events_are_told_without_their_dump() -> None:
    dump = (
        'Error creating pods: [failed to create pod p, err: &errors.StatusError{Status:"Failure", '
        'Message:"pods \\"p\\" is forbidden: no PriorityClass with name none was found", Code:403}]'
    )
    events = [
        {"reason": "FailedCreate", "message": dump, "lastTimestamp": "2"},
        {"reason": "Pulled", "message": "pulled", "lastTimestamp": "1"},
    ]
    told = waiting.said_by(events)
    assert told == ['pods "p" is forbidden: no PriorityClass with name none was found']
    error = waiting.hopeless(told)
    assert error is not None
    assert str(error) == ("the cluster has no priority class none. Correct cluster.priority_class")


def test_why_a_gang_waits_is_said_once() -> None:
    said = "1/2 tasks in gang unschedulable: pod group is not ready, 2 Pending"
    condition = {"type": "Unschedulable", "status": "True", "message": said}
    group = {"status": {"conditions": [condition]}}
    pending = {"type": "PodScheduled", "status": "False", "message": said[34:]}
    pods = [{"metadata": {"name": "p"}, "status": {"conditions": [pending]}}]
    assert waiting.reason(group, pods, ["0/0 tasks in gang unschedulable", said]) == said
    assert waiting.reason(None, [], ["resource in cluster is overused: overused cpu"]) == (
        "resource in cluster is overused: overused cpu"
    )
