"""Why a Job failed or a request was refused, in words, from what Kubernetes says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay.errors import AssayError, InputError, StageError
from assay.volcano.pods import condition, ended
from assay.volcano.work import Ending, read_ending

Object = dict[str, Any]

LOST_SECONDS = 30.0
GONE = "gone"  # in the place of the time by which a pod has to be gone
_SIGNALS = {137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def refused(message: str, status: int) -> AssayError:
    """Return the error of a request that the API server refused or did not answer."""
    reason = message.removeprefix('admission webhook "validatejob.volcano.sh" denied the request: ')
    if status == 403 and "cannot" in reason:
        return InputError(
            reason, "Apply manifests/: its Role has every right that a launcher needs"
        )
    if "queue" in reason:
        return InputError(f"Volcano refuses the Job: {reason}", "Correct cluster.queue, or open it")
    if "priorityclass" in reason.lower():
        return InputError(f"Volcano refuses the Job: {reason}", "Correct cluster.priority_class")
    if status in (400, 403, 422):
        return InputError(f"the cluster refuses the Job: {reason}", "Correct the cluster section")
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
    if left and left.what and end.get("reason") != "OOMKilled":
        kind = InputError if left.exit_code == InputError.exit_code else StageError
        return kind(f"{left.what} ({where})", left.remedy)
    cause, remedy = _cause(guilty, end)
    lines = "".join(f"\n  {line}" for line in last_lines.get(name, ()))
    log = f"; the end of its log:{lines}" if lines else ""
    return StageError(f"{stage}: {cause} ({where}){log}", remedy)


def first_failed(pods: Iterable[Object]) -> Object | None:
    """Return the pod that failed first: the others of a gang are stopped because of it."""
    failures = [pod for pod in pods if _is_failed(pod)]
    return min(failures, key=_when, default=None)


def is_lost(pods: Iterable[Object]) -> bool:
    """Return whether a pod that should be gone is not: nobody on its node ends it."""
    now = datetime.now(UTC)
    due = (pod["metadata"].get("deletionTimestamp", GONE) for pod in pods)
    times = (datetime.fromisoformat(time) for time in due if time != GONE)
    return any((now - time).total_seconds() > LOST_SECONDS for time in times)


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
    status, node = pod["status"], pod["spec"].get("nodeName", "")
    if end.get("reason") == "OOMKilled":
        limit = pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory")
        return (
            f"the worker was killed for memory (OOMKilled), its limit is {limit or 'the node'}",
            "Raise the memory, or lower batch_size or cutoff_len",
        )
    if status.get("reason"):  # Evicted, NodeLost, Preempting
        reason = f"{status['reason']}: {status.get('message', '')}".strip()
        return f"the pod was lost on {node} ({reason})", "Run it again, or set cluster.retries"
    if disruption := condition(pod, "DisruptionTarget"):
        reason = f"{disruption.get('reason')}: {disruption.get('message', '')}"
        return f"the pod was taken off {node} ({reason})", "Run it again, or set cluster.retries"
    if not end:
        return f"the pod was deleted while it ran on {node}", "Run it again"
    code = end.get("exitCode", 0)
    how = f"was ended by {_SIGNALS[code]}" if code in _SIGNALS else f"failed with exit code {code}"
    return f"the worker {how}", ""
