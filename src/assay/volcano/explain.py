"""Why a Job failed or a request was refused, in words, from what Kubernetes says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay import exits
from assay.errors import AssayError, InputError, StageError
from assay.volcano import waiting
from assay.volcano.pods import condition, ended
from assay.volcano.work import Ending, read_ending

Object = dict[str, Any]

LOST_SECONDS = 30.0
GONE = "gone"  # in the place of the time by which a pod has to be gone
PREEMPTED = "PreemptionByScheduler"
_AGAIN = "Run it again, or set cluster.retries: it goes on from what is kept"
_FULL = "Run it again when others have ended, or have the quota raised"
_MEMORY = "Raise the memory (cluster.memory), or lower batch_size or cutoff_len"
_SIGNALS = {
    132: ("SIGILL", "Use an image that was built for the processors of its nodes"),
    134: ("SIGABRT", "See the end of its log for what the program found wrong"),
    135: ("SIGBUS", "See whether its shared memory or its volume is full"),
    137: (
        "SIGKILL",
        "Nothing says who sent it: see the kernel's log on the node, where a lack of memory would "
        "stand. Run it again, or set cluster.retries: it goes on from what is kept",
    ),
    139: ("SIGSEGV", "Check that the image's CUDA fits the driver of its nodes"),
    143: ("SIGTERM", _AGAIN),
}
_NOT_STARTED = ("StartError", "ContainerCannotRun")
_STARTING = (
    "Where it has no python, set cluster.image to one of Assay's; where its memory is too little, "
    "raise cluster.memory"
)
# Why Kubernetes took a pod away, by the reason that it gives, and what to do about it.
_DISRUPTIONS = {
    "DeletionByTaintManager": ("its node was lost or given up", _AGAIN),
    "DeletionByPodGC": ("its node is gone", _AGAIN),
    "EvictionByEvictionAPI": ("it was evicted, as a drain of its node does", _AGAIN),
    "TerminationByKubelet": (
        "its node had too little left, or was shut down",
        "Set cluster.memory, so that the node keeps room for it. " + _AGAIN,
    ),
    PREEMPTED: (
        "a pod of a higher priority took its place",
        "Run it again, or set cluster.priority_class to a higher one",
    ),
}
_STATUS = {
    "Evicted": "Set cluster.memory or ask for more of what ran short. " + _AGAIN,
    "NodeLost": _AGAIN,
    "NodeShutdown": _AGAIN,
    "Terminated": _AGAIN,
    "Preempting": "Set cluster.priority_class to a higher one. " + _AGAIN,
    "OutOfmemory": "Ask for less (cluster.memory)",
    "OutOfcpu": "Ask for less (cluster.cpu)",
}


class TakenAwayError(StageError):
    """A Job was ended for another's sake, or because nobody followed it, or Volcano has lost sight
    of it, and may be made again."""


class FewerPodsError(TakenAwayError):
    """The namespace lets only so many `pods` of a Job be made, which do not need the others."""

    def __init__(self, what: str, pods: int) -> None:
        super().__init__(what)
        self.pods = pods


def refused(message: str, status: int) -> AssayError:
    """Return the error of a request that the API server refused or did not answer."""
    reason = message.removeprefix('admission webhook "validatejob.volcano.sh" denied the request: ')
    reason = reason.rstrip(". ")
    if status == 403 and "cannot" in reason:
        return InputError(
            reason, "Apply manifests/: its Role has every right that a launcher needs"
        )
    if "exceeded quota" in reason:
        passing = InputError(f"the cluster refuses the Job: {reason}", _FULL)
        return waiting.over_quota(reason) or passing
    if "queue" in reason:
        return InputError(f"Volcano refuses the Job: {reason}", "Correct cluster.queue, or open it")
    if "priorityclass" in reason.lower():
        return InputError(f"Volcano refuses the Job: {reason}", "Correct cluster.priority_class")
    if status in (400, 403, 422):
        return InputError(
            f"the cluster refuses the Job: {reason}",
            "Correct the cluster section, or what the pipeline sets on the task",
        )
    return StageError(reason, "Try again: a Job that still runs is taken up")


def failed(
    stage: str, job: Object, pods: Iterable[Object], last_lines: Mapping[str, Sequence[str]]
) -> AssayError:
    """Return the error of a Job that ended without success: cause, pod, exit code, and the end of
    the pod's log. What the worker itself says is the cause where it says something."""
    guilty = first_failed(pods)
    if guilty is None:
        state = job.get("status", {}).get("state", {})
        ending = state.get("message") or state.get("reason") or "no pod of it is left"
        return StageError(f"{stage}: the Job ended as {state.get('phase')}: {ending}")
    name = guilty["metadata"]["name"]
    left, end = ending_of(guilty), ended(guilty)
    code = end.get("exitCode")
    where = f"pod {name}" + (f", exit code {code}" if code is not None else "")
    disruption = condition(guilty, "DisruptionTarget") or {}
    if disruption.get("reason") == PREEMPTED:
        return TakenAwayError(f"preempted: {_disrupted(guilty, disruption)[0]} ({where})")
    if left and left.exit_code == exits.CANCELED:
        return TakenAwayError(f"{left.what} ({where})")
    if left and left.what and end.get("reason") != "OOMKilled":
        mended = left.exit_code == InputError.exit_code
        return (InputError if mended else StageError)(f"{left.what} ({where})", left.remedy)
    cause, remedy = _cause(guilty, end)
    lines = "".join(f"\n  {line}" for line in last_lines.get(name, ()))
    log = f"; the end of its log:{lines}" if lines else ""
    kind = InputError if end.get("reason") in _NOT_STARTED else StageError
    return kind(f"{stage}: {cause} ({where}){log}", remedy)


def first_failed(pods: Iterable[Object]) -> Object | None:
    """Return the pod that failed first in the Job's last try: the others of a gang are stopped
    because of it, and those of the tries before, as those that were made anew alone, are why there
    were others."""
    failures = [pod for pod in _newest(pods) if _is_failed(pod)]
    last = max(map(_try_of, failures), default=0)
    return min((pod for pod in failures if _try_of(pod) == last), key=_when, default=None)


def _newest(pods: Iterable[Object]) -> list[Object]:
    """Return of the pods of one name and try the one that was made last."""
    made = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    return list({(pod["metadata"]["name"], _try_of(pod)): pod for pod in made}.values())


def _try_of(pod: Object) -> int:
    return int((pod["metadata"].get("annotations") or {}).get("volcano.sh/job-version", 0))


def is_lost(pods: Iterable[Object]) -> bool:
    """Return whether a pod that should be gone is not: nobody on its node ends it."""
    now = datetime.now(UTC)
    due = (pod["metadata"].get("deletionTimestamp", GONE) for pod in pods)
    times = (datetime.fromisoformat(time) for time in due if time != GONE)
    return any((now - time).total_seconds() > LOST_SECONDS for time in times)


def taken_away(pod: Object) -> str:
    """Return why Kubernetes takes a pod away, "" where it does not."""
    disruption = condition(pod, "DisruptionTarget")
    return _disrupted(pod, disruption)[0] if disruption else ""


def ending_of(pod: Object) -> Ending | None:
    """Return what the worker in this pod left for the launcher."""
    return read_ending(ended(pod).get("message", ""))


def _is_failed(pod: Object) -> bool:
    end = ended(pod)
    lost = pod["metadata"].get("deletionTimestamp") and not end
    return pod["status"].get("phase") == "Failed" or end.get("exitCode", 0) != 0 or bool(lost)


def _when(pod: Object) -> str:
    end = ended(pod)
    return str(end.get("finishedAt") or pod["metadata"].get("deletionTimestamp") or GONE)


def _cause(pod: Object, end: Object) -> tuple[str, str]:
    """Return why a pod failed, and what to do about it."""
    status, node = pod["status"], pod["spec"].get("nodeName", "")
    if end.get("reason") in _NOT_STARTED:
        said = end.get("message") or end["reason"]
        return f"the worker could not be started on {node}: {said}", _STARTING
    if end.get("reason") == "OOMKilled":
        limit = pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory")
        return (
            f"the worker was killed for memory (OOMKilled), its limit is {limit or 'the node'}",
            _MEMORY,
        )
    if why := status.get("reason"):
        told = f"{why}: {status.get('message', '')}".strip()
        return f"the pod was lost on {node} ({told})", _STATUS.get(why, _AGAIN)
    if disruption := condition(pod, "DisruptionTarget"):
        return _disrupted(pod, disruption)
    if not end:
        return f"the pod was deleted while it ran on {node}", _AGAIN
    code = end.get("exitCode", 0)
    if code in _SIGNALS:
        signal, remedy = _SIGNALS[code]
        return f"the worker was ended by {signal}", remedy
    return f"the worker failed with exit code {code}", ""


def _disrupted(pod: Object, disruption: Object) -> tuple[str, str]:
    reason, node = str(disruption.get("reason")), pod["spec"].get("nodeName", "")
    plainly, remedy = _DISRUPTIONS.get(reason, ("", _AGAIN))
    told = f"{reason}: {disruption.get('message', '')}"
    return f"the pod was taken off {node}{plainly and f': {plainly}'} ({told})", remedy
