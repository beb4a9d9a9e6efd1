"""Why a Job waits or cannot start, in words, from what Kubernetes says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from assay.errors import InputError
from assay.placement import quantity
from assay.volcano.pods import condition, containers

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
_NEVER = datetime.fromtimestamp(0, UTC)
_FRESH = timedelta(seconds=60)
# what a LimitRange refuses
_BOUND = re.compile(r'pods "[^"]*" is forbidden: (.*(?:usage|ratio) per (?:Container|Pod) is .*)')
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.*?), used: .*?, limited: (.*)")


def reasons(group: Object | None, pods: Iterable[Object], events: Sequence[str]) -> list[str]:
    """Return why the Job's pods do not run yet, [] where that is not known, none of them twice."""
    pods = list(pods)
    starting = [why for pod in pods if (why := _starting(pod))]
    if starting:
        return starting[:1]
    unschedulable = _unschedulable(group or {})
    parts = [str(unschedulable.get("message", ""))] if unschedulable else []
    parts += [str(unscheduled["message"]) for pod in pods if (unscheduled := _unscheduled(pod))][:1]
    parts += [event for event in events if not event.startswith("0/0 tasks")][-2:]
    told: list[str] = []
    for part in parts:
        if part and not any(part in other for other in told):
            told.append(part)
    return told


def _unschedulable(group: Object) -> Object | None:
    """Return the condition that a gang cannot be placed: it stays after the gang was."""
    cannot, could = condition(group, "Unschedulable"), condition(group, "Scheduled")
    if cannot and could and _since(could) > _since(cannot):
        return None
    return cannot


def _since(entry: Object) -> str:
    return str(entry.get("lastTransitionTime") or "")


def said_by(events: Iterable[Object]) -> list[str]:
    """Return the messages of the events that are still seen, in the order in which they were last
    seen, without the dump of Go's structures that Volcano puts around what the API server said. One
    that is not seen any more, while others are, is of an earlier state."""
    telling = [event for event in events if event.get("reason") in _TELLING]
    times = {id(event): _last_seen(event) for event in telling}
    newest = max(times.values(), default=_NEVER)
    fresh = [event for event in telling if newest - times[id(event)] <= _FRESH]
    ordered = sorted(fresh, key=lambda event: times[id(event)])
    messages = (str(event.get("message", "")) for event in ordered)
    plain = (re.sub(r'.*?Message:"((?:[^"\\]|\\.)*)".*', r"\1", message) for message in messages)
    return list(dict.fromkeys(message.replace('\\"', '"') for message in plain))


def _last_seen(event: Object) -> datetime:
    """Return when an event was last seen; one has several forms of saying it."""
    series = event.get("series") or {}
    for time in (
        event.get("lastTimestamp"),
        series.get("lastObservedTime"),
        event.get("eventTime"),
    ):
        if time:
            return datetime.fromisoformat(str(time))
    return _NEVER


def cannot_start(pods: Iterable[Object]) -> InputError | None:
    """Return the error of the first pod whose container cannot be started as it is."""
    for pod in pods:
        for container in containers(pod):
            state = container.get("state", {}).get("waiting") or {}
            if remedy := _CANNOT_START.get(state.get("reason", "")):
                why = state.get("message", "") or container["image"]
                name = pod["metadata"]["name"]
                return InputError(f"pod {name} cannot start: {state['reason']}: {why}", remedy)
    return None


def hopeless(events: Iterable[str]) -> InputError | None:
    """Return the error of pods that the namespace will never let be made, from the events."""
    for event in events:
        if match := re.search(r"no PriorityClass with name (\S+) was found", event):
            name = match[1]
            return InputError(
                f"the cluster has no priority class {name}", "Correct cluster.priority_class"
            )
        if match := _BOUND.search(event):
            return InputError(
                f"the namespace's limits refuse a worker: {match[1]}",
                "Set cluster.cpu and cluster.memory within them, or have them changed",
            )
        if match := _QUOTA.search(event):
            quota, wanted, limits = match.groups()
            if _never(wanted, limits):
                return InputError(
                    f"the namespace's quota {quota} allows {limits}, and a worker asks for "
                    f"{wanted}",
                    "Ask for less (cluster.gpus, cpu, memory), or have the quota raised",
                )
    return None


def _starting(pod: Object) -> str:
    for container in containers(pod):
        state = container.get("state", {}).get("waiting") or {}
        if state.get("reason"):
            why = f": {state['message']}" if state.get("message") else ""
            return f"pod {pod['metadata']['name']}: {state['reason']}{why}"
    return ""


def _unscheduled(pod: Object) -> Object | None:
    scheduled = condition(pod, "PodScheduled", "False")
    return scheduled if scheduled and scheduled.get("message") else None


def _never(requested: str, limited: str) -> bool:
    asked, limits = _amounts(requested), _amounts(limited)
    return any(asked[name] > limits.get(name, asked[name]) for name in asked)


def _amounts(text: str) -> dict[str, Decimal]:
    """Return the quantities in what an event says of a quota: "name=amount,name=amount"."""
    pairs = re.findall(r"([^\s,=]+)=([^\s,=\"']+)", text)
    return {
        name: amount for name, amount_text in pairs if (amount := _read(amount_text)) is not None
    }


def _read(text: str) -> Decimal | None:
    """What is no quantity proves nothing of the quota."""
    try:
        return quantity(text)
    except ValueError:
        return None
