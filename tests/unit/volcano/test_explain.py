"""Causes in words. The objects are cut from those that a real cluster gave."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import InputError, StageError
from assay.store import to_json
from assay.volcano import explain, waiting
from assay.volcano.api import Api
from assay.volcano.state import JobState, tell
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


def anew(made: dict[str, Any], second: int) -> dict[str, Any]:
    time = f"2026-01-01T00:00:{second:02}Z"
    return {**made, "metadata": {**made["metadata"], "creationTimestamp": time}}


def test_a_pod_that_was_made_anew_alone_is_no_cause_any_more() -> None:
    killed = anew(pod("job-shard-1", {"exitCode": 137, "finishedAt": "2026-01-01T00:01:00Z"}), 0)
    again = anew(pod("job-shard-1", {"exitCode": 0}, phase="Succeeded"), 1)
    last = anew(pod("job-shard-2", {"exitCode": 3, "finishedAt": "2026-01-01T00:02:00Z"}), 0)
    assert explain.first_failed([killed, last]) == killed
    assert explain.first_failed([again, killed, last]) == last
    assert explain.first_failed([killed, again]) is None


def disrupted(reason: str, message: str = "") -> dict[str, Any]:
    entry = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return pod(conditions=[entry])


@pytest.mark.parametrize(
    ("found", "told", "remedy"),
    [
        (
            pod(ended={"exitCode": 137, "reason": "OOMKilled"}),
            "the worker was killed for memory (OOMKilled), its limit is 1Gi",
            "Raise the memory (cluster.memory)",
        ),
        (
            pod(ended={"exitCode": 137, "reason": "Error"}),
            "the worker was ended by SIGKILL",
            "see the kernel's log on the node",
        ),
        (
            pod(ended={"exitCode": 143, "reason": "Error"}),
            "the worker was ended by SIGTERM",
            "set cluster.retries: it goes on from what is kept",
        ),
        (
            pod(ended={"exitCode": 139, "reason": "Error"}),
            "the worker was ended by SIGSEGV",
            "the driver of its nodes",
        ),
        (
            pod(ended={"exitCode": 3, "reason": "Error"}),
            "the worker failed with exit code 3",
            "",
        ),
        (
            pod(reason="Evicted", message="The node was low on memory."),
            "the pod was lost on n1 (Evicted: The node was low on memory.)",
            "Set cluster.memory",
        ),
        (
            pod(reason="NodeLost", message="gone"),
            "the pod was lost on n1 (NodeLost: gone)",
            "Run it again, or set cluster.retries",
        ),
        (
            pod(reason="UnexpectedAdmissionError", message="no GPU"),
            "the pod was lost on n1 (UnexpectedAdmissionError: no GPU)",
            "Run it again",
        ),
        (
            disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
            "taken off n1: its node was lost or given up (DeletionByTaintManager: Taint manager",
            "Run it again, or set cluster.retries",
        ),
        (
            disrupted("DeletionByPodGC", "node does not exist"),
            "taken off n1: its node is gone (DeletionByPodGC: node does not exist)",
            "Run it again",
        ),
        (
            disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
            "taken off n1: it was evicted, as a drain of its node does",
            "Run it again",
        ),
        (
            disrupted("TerminationByKubelet", "low on resource"),
            "taken off n1: its node had too little left, or was shut down",
            "Set cluster.memory",
        ),
        (disrupted("SomethingNew", "x"), "taken off n1 (SomethingNew: x)", "Run it again"),
        (pod(phase="Running"), "the pod was deleted while it ran on n1", "Run it again"),
    ],
)
def test_each_cause_of_a_failure_has_its_remedy(
    found: dict[str, Any], told: str, remedy: str
) -> None:
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    error = explain.failed("finetune", JOB, [found], {"job-master-0": ["last", "words"]})
    assert type(error) is StageError
    assert told in error.what
    assert "pod job-master-0" in error.what
    assert error.what.endswith("the end of its log:\n  last\n  words")
    assert remedy in error.remedy
    assert bool(remedy) == bool(error.remedy)


def test_what_is_no_failure_may_be_made_again() -> None:
    """Whatever the worker of a pod that has to go says of it."""
    preempted = disrupted("PreemptionByScheduler", "volcano: preempting")
    left = to_json(Ending(exit_code=1, what="interrupted")).decode()
    said = {
        **preempted["status"],
        "containerStatuses": pod(ended={"exitCode": 1, "message": left})["status"][
            "containerStatuses"
        ],
    }
    for status in (preempted["status"], said):
        error = explain.failed("finetune", JOB, [{**preempted, "status": status}], {})
        assert isinstance(error, explain.TakenAwayError)
        assert "preempted: the pod was taken off n1: a pod of a higher priority" in error.what
    left = to_json(Ending(exit_code=5, what="nobody has followed this Job for 9 s")).decode()
    ended = {"exitCode": 5, "message": left}
    error = explain.failed("finetune", JOB, [pod(ended=ended)], {})
    assert isinstance(error, explain.TakenAwayError)


def test_the_pod_that_failed_first_is_the_cause() -> None:
    later = pod("b", {"exitCode": 143, "finishedAt": "2026-01-01T00:00:09Z"})
    first = pod("a", {"exitCode": 1, "finishedAt": "2026-01-01T00:00:01Z"})
    assert "pod a" in explain.failed("finetune", JOB, [later, first], {}).what


def test_the_cause_is_that_of_the_last_try() -> None:
    """A pod of the try before, preempted, is why there was another."""
    before = disrupted("PreemptionByScheduler")
    before["metadata"] |= {"name": "a", "annotations": {"volcano.sh/job-version": "0"}}
    last = pod("b", {"exitCode": 1, "finishedAt": "2026-01-01T00:00:09Z"})
    last["metadata"]["annotations"] = {"volcano.sh/job-version": "1"}
    error = explain.failed("finetune", JOB, [before, last], {})
    assert "pod b, exit code 1" in error.what
    assert not isinstance(error, explain.TakenAwayError)


@pytest.mark.parametrize(("code", "kind"), [(1, StageError), (2, InputError)])
def test_what_the_worker_says_is_the_cause(code: int, kind: type[Exception]) -> None:
    said = to_json(Ending(exit_code=code, what="no such template", remedy="Correct it")).decode()
    found = pod(ended={"exitCode": code, "message": said})
    error = explain.failed("finetune", JOB, [found], {})
    assert type(error) is kind
    assert error.what == f"no such template (pod job-master-0, exit code {code})"
    assert error.remedy == "Correct it"


@pytest.mark.parametrize("letter", ["x", "ü", "界", "\n", '"', "\\", "\x01", "😀"])
@pytest.mark.parametrize("remedy", ["Do it again", "Do it again " * 500])
def test_a_long_error_fits_into_a_termination_message(letter: str, remedy: str) -> None:
    short = StageError("no such template" + letter, "Do it again")
    assert failure(short) == Ending(exit_code=1, what=short.what, remedy=short.remedy)
    written = to_json(failure(StageError(letter * 5000, remedy)))
    assert MESSAGE_BYTES - 12 < len(written) <= MESSAGE_BYTES
    answer = read_ending(written.decode())
    assert answer is not None
    assert answer.exit_code == 1
    assert answer.what.endswith(" ...")
    assert answer.remedy.startswith("Do it again")


def test_what_is_no_ending_is_none() -> None:
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


@pytest.mark.parametrize(("together", "never"), [(1, False), (2, False), (3, True)])
def test_a_gang_has_to_fit_into_a_quota_together(together: int, never: bool) -> None:
    error = waiting.hopeless([QUOTA.format("2Gi", "4Gi")], together)
    assert bool(error) == never
    assert error is None or "3 workers ask for 3 x requests.memory=2Gi" in error.what


@pytest.mark.parametrize(
    ("said", "what", "remedy"),
    [
        (
            'pods "p" is forbidden: failed quota: small: must specify limits.memory for: stage',
            "quota small takes no worker without limits.memory",
            "Set cluster.cpu and cluster.memory",
        ),
        (
            'pods "p" is forbidden: failed quota: small: must specify limits.cpu for: stage; '
            "requests.cpu for: stage",
            "quota small takes no worker without limits.cpu",
            "Set cluster.cpu and cluster.memory",
        ),
        (
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": restricted volume '
            'types (volumes "data" use restricted volume type "hostPath")',
            'violates PodSecurity "restricted:latest": restricted volume types (volumes "data"',
            "on the task",
        ),
        (
            'Pod "p" is invalid: spec.containers[0].resources.requests: Invalid value: "500m": '
            "must be less than or equal to cpu limit of 100m",
            "must be less than or equal to cpu limit of 100m",
            "in the cluster section or on the task",
        ),
        (
            'admission webhook "validate.kyverno.svc-fail" denied the request: no label team',
            "denied the request: no label team",
            "have its rule changed",
        ),
    ],
)
def test_what_a_namespace_takes_no_pod_without_is_hopeless(
    said: str, what: str, remedy: str
) -> None:
    error = waiting.hopeless([said])
    assert error is not None
    assert what in error.what
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("limited", "what", "remedy"),
    [
        ("0", "allows count/jobs.batch.volcano.sh=0, and", "have the quota raised"),
        ("2", "exceeded quota: small", "Run it again when others have ended"),
    ],
)
def test_a_quota_of_jobs_is_said_by_its_name(limited: str, what: str, remedy: str) -> None:
    """Whatever the namespace is called, it is not the queue's fault."""
    counted = "count/jobs.batch.volcano.sh"
    error = explain.refused(
        f'jobs.batch.volcano.sh "queue-7" is forbidden: exceeded quota: small, requested: '
        f"{counted}=1, used: {counted}={limited}, limited: {counted}={limited}",
        403,
    )
    assert type(error) is InputError
    assert what in error.what
    assert remedy in error.remedy


@pytest.mark.parametrize(
    "said", ['exec: "python": executable file not found in $PATH', "memory limit too low"]
)
def test_a_container_that_cannot_be_started_is_told_with_what_the_runtime_says(said: str) -> None:
    found = pod(ended={"exitCode": 128, "reason": "StartError", "message": said})
    error = explain.failed("finetune", JOB, [found], {})
    assert type(error) is InputError
    assert f"could not be started on n1: {said} (pod job-master-0, exit code 128)" in error.what
    assert "cluster.image" in error.remedy
    assert "cluster.memory" in error.remedy


@pytest.mark.parametrize(
    "bound",
    [
        "maximum memory usage per Container is 1Gi, but limit is 1500Mi",
        "maximum memory usage per Container is 1Gi, but no limit is specified",
        "minimum cpu usage per Pod is 1, but request is 20m",
        "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        "[maximum cpu usage per Container is 1, but limit is 2, "
        "maximum memory usage per Container is 1Gi, but limit is 2Gi]",
    ],
)
def test_what_a_limit_range_refuses_is_hopeless(bound: str) -> None:
    error = waiting.hopeless([f'pods "assay-finetune-0" is forbidden: {bound}'])
    assert error is not None
    assert bound in str(error)
    assert "cluster.memory" in error.remedy


@pytest.mark.parametrize(
    "said",
    [
        'pods "p" is forbidden: error looking up service account team/runner: not found',
        "0/2 nodes are available: maximum of volumes",
    ],
)
def test_what_may_pass_is_waited_for(said: str) -> None:
    assert waiting.hopeless([said]) is None


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
        {"reason": "FailedCreate", "message": dump, "lastTimestamp": "2026-11-26T16:00:02Z"},
        {"reason": "Pulled", "message": "pulled", "lastTimestamp": "2026-11-26T16:00:01Z"},
    ]
    told = waiting.said_by(events)
    assert told == ['pods "p" is forbidden: no PriorityClass with name none was found']
    error = waiting.hopeless(told)
    assert error is not None
    assert str(error) == ("the cluster has no priority class none. Correct cluster.priority_class")


SAID = "1/2 tasks in gang unschedulable: pod group is not ready, 2 Pending"
OVERUSED = "resource in cluster is overused: overused cpu"


def told_of(kind: str, time: str = "", message: str = SAID) -> dict[str, str]:
    return {"type": kind, "status": "True", "message": message, "lastTransitionTime": time}


def test_why_a_gang_waits_is_said_once() -> None:
    group = {"status": {"conditions": [told_of("Unschedulable")]}}
    pending = {"type": "PodScheduled", "status": "False", "message": SAID[34:]}
    pods = [{"metadata": {"name": "p"}, "status": {"conditions": [pending]}}]
    assert waiting.reasons(group, pods, ["0/0 tasks in gang unschedulable", SAID]) == [SAID]
    assert waiting.reasons(None, [], [OVERUSED]) == [OVERUSED]


@pytest.mark.parametrize(
    ("cannot", "could", "waits"),
    [("16:00:01", "16:00:02", False), ("16:00:02", "16:00:01", True), ("16:00:01", "", True)],
)
def test_a_gang_that_was_placed_waits_no_more(cannot: str, could: str, waits: bool) -> None:
    """The condition that it could not be placed stays where it is."""
    conditions = [told_of("Unschedulable", f"2026-11-26T{cannot}Z")]
    conditions += [told_of("Scheduled", f"2026-11-26T{could}Z")] if could else []
    assert bool(waiting.reasons({"status": {"conditions": conditions}}, [], [])) == waits


@pytest.mark.parametrize(
    "times",
    [
        [{"lastTimestamp": "2026-11-26T16:00:00Z"}, {"lastTimestamp": "2026-11-26T16:05:00Z"}],
        [{"lastTimestamp": None}, {"eventTime": "2026-11-26T16:05:00.000001Z"}],
        [
            {"lastTimestamp": None, "eventTime": "2026-11-26T15:00:00Z"},
            {"series": {"lastObservedTime": "2026-11-26T16:05:00.5Z"}},
        ],
    ],
)
def test_an_event_that_is_not_seen_any_more_is_no_reason(times: list[dict[str, Any]]) -> None:
    old, new = times
    events = [
        {"reason": "Unschedulable", "message": "overused cpu", **old},
        {"reason": "Unschedulable", "message": "overused memory", **new},
    ]
    assert waiting.said_by(events) == ["overused memory"]
    assert waiting.said_by(events[:1]) == ["overused cpu"]


def waiting_job(phase: str = "Pending") -> JobState:
    job = {"metadata": {"name": "job"}, "status": {"state": {"phase": phase}}}
    return JobState(api=Api(host="none", port=1), stage="finetune", job=job)


def lines_of(capsys: pytest.CaptureFixture[str], seen: list[tuple[float, list[str]]]) -> list[str]:
    state = waiting_job()
    for now, events in seen:
        state.events = events
        tell(state, now)
    return [
        line.removeprefix("finetune: waiting: ") for line in capsys.readouterr().out.split("\n")
    ]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([(0, ["a", "b"]), (1, ["b", "a"]), (60, ["a", "b"])], ["a; b"]),  # another order
        ([(0, ["a"]), (1, ["a", "b"]), (2, ["b"])], ["a", "a; b"]),  # one less, for a moment
        ([(0, ["a", "b"]), (1, ["b"]), (20, ["b"])], ["a; b", "b"]),  # and for good
        ([(0, ["a"]), (1, []), (30, []), (31, ["a"])], ["a"]),  # not known for a while
        ([(0, ["a"]), (1, ["b"]), (2, ["a"])], ["a", "b", "a"]),
        ([(0, ["a long one"]), (1, ["long"])], ["a long one"]),  # part of what was told
    ],
)
def test_a_reason_is_told_when_it_is_new(
    capsys: pytest.CaptureFixture[str],
    seen: list[tuple[float, list[str]]],
    told: list[str],
) -> None:
    assert [line for line in lines_of(capsys, seen) if line] == told


def test_a_closed_queue_is_the_one_reason(capsys: pytest.CaptureFixture[str]) -> None:
    state = waiting_job()
    state.events, state.closed = [OVERUSED], "the queue q is Closing"
    tell(state, 0.0)
    state.job = waiting_job("Running").job
    tell(state, 1.0)
    assert capsys.readouterr().out == "finetune: waiting: the queue q is Closing\n"
