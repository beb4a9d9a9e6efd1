"""Why a Job waits, cannot start or failed, in words, from what Kubernetes says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay.cluster.work import Answer, read_answer
from assay.errors import AssayError, InputError, StageError

Object = dict[str, Any]

# What the kubelet says of a container that it cannot start, and what to do about it.
_CANNOT_START = {
    "ErrImagePull": "Check cluster.image, the registry and its pull secret",
    "ImagePullBackOff": "Check cluster.image, the registry and its pull secret",
    "ErrImageNeverPull": "Load the image on the node, or correct cluster.image",
    "InvalidImageName": "Correct cluster.image",
    "CreateContainerConfigError": "Check the Secrets and ConfigMaps that the task names",
    "CreateContainerError": "Check the image and the task's volumes",
    "RunContainerError": "Check the image and the task's volumes",
}
_TELLING = {"FailedCreate", "Unschedulable", "FailedScheduling"}
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.*?), used: .*?, limited: (.*)")
LOST_SECONDS = 30.0
GONE = "gone"  # in the place of the time by which a pod has to be gone
_SIGNALS = {137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def waiting(group: Object | None, pods: Iterable[Object], events: Sequence[str]) -> str:
    """Return why the Job's pods do not run yet, or "" where that is not known."""
    pods = list(pods)
    starting = [reason for pod in pods if (reason := _starting(pod))]
    if starting:
        return starting[0]
    unschedulable = _condition(group or {}, "Unschedulable")
    parts = [str(unschedulable.get("message", ""))] if unschedulable else []
    parts += [str(said["message"]) for pod in pods if (said := _unscheduled(pod))][:1]
    parts += [event for event in events if not event.startswith("0/0 tasks")][-2:]
    told: list[str] = []
    for part in parts:
        if part and not any(part in other for other in told):
            told.append(part)
    return "; ".join(told)


def said_by(events: Iterable[Object]) -> list[str]:
    """Return the messages of events in the order in which they were last seen, without the dump of
    Go's structures that Volcano puts around what the API server said."""
    ordered = sorted(events, key=lambda one: str(one.get("lastTimestamp")))
    messages = (str(one.get("message", "")) for one in ordered if one.get("reason") in _TELLING)
    plain = (re.sub(r'.*?Message:"((?:[^"\\]|\\.)*)".*', r"\1", message) for message in messages)
    return list(dict.fromkeys(message.replace('\\"', '"') for message in plain))


def cannot_start(pods: Iterable[Object]) -> InputError | None:
    """Return the error of the first pod whose container cannot be started as it is."""
    for pod in pods:
        for container in _containers(pod):
            state = container.get("state", {}).get("waiting") or {}
            if remedy := _CANNOT_START.get(state.get("reason", "")):
                said = state.get("message", "") or container["image"]
                name = pod["metadata"]["name"]
                return InputError(f"pod {name} cannot start: {state['reason']}: {said}", remedy)
    return None


def hopeless(events: Iterable[str]) -> InputError | None:
    """Return the error of pods that the namespace will never let be made, from the events."""
    for event in events:
        if found := re.search(r"no PriorityClass with name (\S+) was found", event):
            return InputError(
                f"the cluster has no priority class {found[1]}", "Correct cluster.priority_class"
            )
        if (found := _QUOTA.search(event)) and _never(found[2], found[3]):
            return InputError(
                f"the namespace's quota {found[1]} allows {found[3]}, and a worker asks for "
                f"{found[2]}",
                "Ask for less (cluster.gpus, cpu, memory), or have the quota raised",
            )
    return None


def refused(message: str, status: int) -> AssayError:
    """Return the error of a request that the API server refused or did not answer."""
    said = message.removeprefix('admission webhook "validatejob.volcano.sh" denied the request: ')
    if status == 403 and "cannot" in said:
        return InputError(said, "Apply manifests/: its Role has every right that a launcher needs")
    if "queue" in said:
        return InputError(f"Volcano refuses the Job: {said}", "Correct cluster.queue, or open it")
    if "priorityclass" in said.lower():
        return InputError(f"Volcano refuses the Job: {said}", "Correct cluster.priority_class")
    if status in (400, 403, 422):
        return InputError(f"the cluster refuses the Job: {said}", "Correct the cluster section")
    return StageError(said, "Try again: a Job that still runs is taken up")


def failed(
    stage: str, job: Object, pods: Iterable[Object], last_lines: Mapping[str, Sequence[str]]
) -> AssayError:
    """Return the error of a Job that ended without success: cause, pod, exit code, and the end of
    the pod's log. What the worker itself says is the cause where it says something."""
    guilty = first_failed(pods)
    if guilty is None:
        state = job.get("status", {}).get("state", {})
        said = state.get("message") or state.get("reason") or "no pod of it is left"
        return StageError(f"{stage}: the Job ended as {state.get('phase')}: {said}")
    name = guilty["metadata"]["name"]
    answer, ended = answer_of(guilty), _ended(guilty)
    code = ended.get("exitCode")
    where = f"pod {name}" + (f", exit code {code}" if code is not None else "")
    if answer and answer.what and ended.get("reason") != "OOMKilled":
        kind = InputError if answer.exit_code == InputError.exit_code else StageError
        return kind(f"{answer.what} ({where})", answer.remedy)
    cause, remedy = _cause(guilty, ended)
    lines = "".join(f"\n  {line}" for line in last_lines.get(name, ()))
    log = f"; the end of its log:{lines}" if lines else ""
    return StageError(f"{stage}: {cause} ({where}){log}", remedy)


def first_failed(pods: Iterable[Object]) -> Object | None:
    """Return the pod that failed first: the others of a gang are stopped because of it."""
    found = [pod for pod in pods if _is_failed(pod)]
    return min(found, key=_when, default=None)


def is_lost(pods: Iterable[Object]) -> bool:
    """Return whether a pod that should be gone is not: nobody on its node ends it."""
    now = datetime.now(UTC)
    due = (pod["metadata"].get("deletionTimestamp", GONE) for pod in pods)
    times = (datetime.fromisoformat(time) for time in due if time != GONE)
    return any((now - time).total_seconds() > LOST_SECONDS for time in times)


def answer_of(pod: Object) -> Answer | None:
    """Return what the worker in this pod left for the launcher."""
    return read_answer(_ended(pod).get("message", ""))


def _is_failed(pod: Object) -> bool:
    ended = _ended(pod)
    lost = pod["metadata"].get("deletionTimestamp") and not ended
    return pod["status"].get("phase") == "Failed" or ended.get("exitCode", 0) != 0 or bool(lost)


def _when(pod: Object) -> str:
    ended = _ended(pod)
    return str(ended.get("finishedAt") or pod["metadata"].get("deletionTimestamp") or GONE)


def _cause(pod: Object, ended: Object) -> tuple[str, str]:
    status, node = pod["status"], pod["spec"].get("nodeName", "")
    if ended.get("reason") == "OOMKilled":
        limit = pod["spec"]["containers"][0].get("resources", {}).get("limits", {}).get("memory")
        return (
            f"the worker was killed for memory (OOMKilled), its limit is {limit or 'the node'}",
            "Raise the memory, or lower batch_size or cutoff_len",
        )
    if status.get("reason"):  # Evicted, NodeLost, Preempting
        said = f"{status['reason']}: {status.get('message', '')}".strip()
        return f"the pod was lost on {node} ({said})", "Run it again, or set cluster.retries"
    if disruption := _condition(pod, "DisruptionTarget"):
        said = f"{disruption.get('reason')}: {disruption.get('message', '')}"
        return f"the pod was taken off {node} ({said})", "Run it again, or set cluster.retries"
    if not ended:
        return f"the pod was deleted while it ran on {node}", "Run it again"
    code = ended.get("exitCode", 0)
    how = f"was ended by {_SIGNALS[code]}" if code in _SIGNALS else f"failed with exit code {code}"
    return f"the worker {how}", ""


def _starting(pod: Object) -> str:
    for container in _containers(pod):
        state = container.get("state", {}).get("waiting") or {}
        if state.get("reason"):
            said = f": {state['message']}" if state.get("message") else ""
            return f"pod {pod['metadata']['name']}: {state['reason']}{said}"
    return ""


def _unscheduled(pod: Object) -> Object | None:
    condition = _condition(pod, "PodScheduled", "False")
    return condition if condition and condition.get("message") else None


def _condition(owner: Object, kind: str, status: str = "True") -> Object | None:
    """Return the last condition of that kind: Volcano appends them."""
    found = [
        one
        for one in owner.get("status", {}).get("conditions") or ()
        if one["type"] == kind and one["status"] == status
    ]
    return found[-1] if found else None


def _containers(pod: Object) -> list[Object]:
    return list(pod["status"].get("containerStatuses") or ())


def _ended(pod: Object) -> Object:
    for container in _containers(pod):
        if ended := container.get("state", {}).get("terminated"):
            return dict(ended)
    return {}


def _never(requested: str, limited: str) -> bool:
    asked, limits = _amounts(requested), _amounts(limited)
    return any(asked[name] > limits.get(name, asked[name]) for name in asked)


def _amounts(text: str) -> dict[str, float]:
    found = re.findall(r"([\w./-]+)=([\d.]+)([a-zA-Z]*)", text)
    return {name: float(number) * _UNITS.get(unit, 1.0) for name, number, unit in found}


_UNITS = {
    "m": 1e-3,
    **{unit: 1000.0**power for power, unit in enumerate(("k", "M", "G", "T"), 1)},
    **{unit: 1024.0**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}
