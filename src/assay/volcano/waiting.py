"""Why a Job waits or cannot start, in words, from what Kubernetes says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from assay.errors import InputError
from assay.kubernetes import quantity
from assay.volcano.pods import Object, condition

_TELLING = {"FailedCreate", "Unschedulable", "FailedScheduling"}
_SETTINGS = {
    "untolerated taint": "cluster.tolerations",
    "node affinity/selector": "cluster.node_selector",
}
_NEVER = datetime.fromtimestamp(0, UTC)
_FRESH = timedelta(seconds=60)
# what a LimitRange refuses
_BOUND = re.compile(r'pods "[^"]*" is forbidden: (.*(?:usage|ratio) per (?:Container|Pod) is .*)')
_UNSAID = re.compile(r"failed quota: ([^:]+): must specify (.*?)(?: for: .*)?$")
# what an admission policy or the API server refuses; a quota's refusal may pass
_REFUSED = re.compile(
    r'(?:pods "[^"]*" is forbidden: violates PodSecurity .*|Pod "[^"]*" is invalid: .*'
    r"|admission webhook .* denied the request.*|ValidatingAdmissionPolicy .* denied request.*)"
)
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.*?), used: .*?, limited: (.*)")


def reasons(
    group: Object | None, pods: Iterable[Object], events: Sequence[str], start: str = ""
) -> list[str]:
    """Return why the Job's pods do not run yet, [] where that is not known, none of them twice;
    `start` is why one that has its node does not."""
    if start:
        return [start]
    unschedulable = _unschedulable(group or {})
    parts = [str(unschedulable.get("message", ""))] if unschedulable else []
    parts += [str(unscheduled["message"]) for pod in pods if (unscheduled := _unscheduled(pod))][:1]
    parts += [event for event in events if not event.startswith("0/0 tasks")][-2:]
    told: list[str] = []
    for part in parts:
        if part and not any(part in other for other in told):
            told.append(part)
    return [*map(_with_setting, told)]


def _with_setting(reason: str) -> str:
    """Return a reason with the setting that it is about."""
    named = next((setting for words, setting in _SETTINGS.items() if words in reason), "")
    return f"{reason.rstrip('.')} (see {named})" if named else reason


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


def hopeless(events: Iterable[str], together: int = 1) -> InputError | None:
    """Return the error of pods that the namespace will never let be made, so many of them
    `together`, from the events."""
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
        if match := _UNSAID.search(event):
            return InputError(
                f"the namespace's quota {match[1]} takes no worker without {match[2]}",
                "Set cluster.cpu and cluster.memory, or have a LimitRange give what is not set",
            )
        if error := over_quota(event, together):
            return error
        if match := _REFUSED.search(event):
            return InputError(
                f"the cluster refuses a worker: {match[0]}",
                "Change what it names, in the cluster section or on the task, or have its rule "
                "changed",
            )
    return None


def over_quota(said: str, together: int = 1) -> InputError | None:
    """Return the error of what a quota never allows, so many pods of it `together`."""
    match = _QUOTA.search(said)
    if not match or not _never(match[2], match[3], together):
        return None
    quota, wanted, limits = match.groups()
    whose = f"{together} workers ask for {together} x" if together > 1 else "a worker asks for"
    return InputError(
        f"the namespace's quota {quota} allows {limits}, and {whose} {wanted}",
        "Ask for less (cluster.nodes, gpus, cpu, memory), or have the quota raised",
    )


def quota_in(events: Iterable[str]) -> str:
    """Return the quota that keeps pods from being made, "" for none."""
    found = filter(None, map(_QUOTA.search, events))
    return next((match[1] for match in found), "")


def _unscheduled(pod: Object) -> Object | None:
    scheduled = condition(pod, "PodScheduled", "False")
    return scheduled if scheduled and scheduled.get("message") else None


def _never(requested: str, limited: str, together: int) -> bool:
    asked, limits = _amounts(requested), _amounts(limited)
    return any(together * asked[name] > limits.get(name, together * asked[name]) for name in asked)


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
