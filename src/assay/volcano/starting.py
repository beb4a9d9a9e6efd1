"""Why a pod that has its node does not start, and whether it ever will."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from assay.errors import InputError
from assay.volcano.pods import Object, condition, containers, leaves

STUCK_SECONDS = 30.0  # by then somebody who makes what is missing has made it
PASSING_SECONDS = 300.0  # and what was away for a while is back

_IMAGE = "Check cluster.image, the registry and its pull secret"
_NAMED = "Check the Secrets, ConfigMaps and volumes that the task names"
# What the kubelet says of a container that it cannot start, and what to do about it.
_CANNOT_START = {
    "ErrImagePull": _IMAGE,
    "ImagePullBackOff": _IMAGE,
    "ErrImageNeverPull": "Load the image on the node, or correct cluster.image",
    "InvalidImageName": "Correct cluster.image",
    "CreateContainerConfigError": _NAMED,
    "CreateContainerError": "Check the image and the task's volumes",
    "RunContainerError": "Check the image and the task's volumes",
}
_AS_ROOT = re.compile(r"runAsNonRoot|non-root")
_PASSING = re.compile(
    r"connection refused|connection reset|timeout|timed out|deadline exceeded|unavailable|EOF"
    r"|toomanyrequests|no route to host|\b(?:429|50[0234])\b",
    re.IGNORECASE,
)
# The events of a pod that say what else it waits for, and what of that is not there at all.
_TELLING = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
_MISSING = re.compile(r'(?:secret|configmap|persistentvolumeclaim) "[^"]*" not found', re.I)
_LACKS = re.compile(r"references non-existent (?:secret|config) key")


@dataclass(kw_only=True)
class Starting:
    """Since when a Job's pods cannot start (monotonic, seconds, by their uid), and what the events
    say of them (by their name)."""

    since: dict[str, float] = field(default_factory=dict)
    events: dict[str, list[str]] = field(default_factory=dict)

    def take(self, pods: Sequence[Object], events: Iterable[Object]) -> None:
        """Take in what the `events` say of the pods that wait to start."""
        self.events = {pod["metadata"]["name"]: [] for pod in to_begin(pods)}
        for event in events:
            about = self.events.get(event.get("involvedObject", {}).get("name", ""))
            if about is not None and event.get("reason") in _TELLING:
                about.append(str(event.get("message", "")))

    def hopeless(self, pods: Iterable[Object], now: float) -> InputError | None:
        """Return the error of a pod that cannot start, and could not for a while."""
        found = {pod["metadata"]["uid"]: self._cannot(pod) for pod in to_begin(pods)}
        stuck = {uid: cannot for uid, cannot in found.items() if cannot}
        self.since = {uid: self.since.get(uid, now) for uid in stuck}
        for uid, (error, patience) in stuck.items():
            if now - self.since[uid] > patience:
                return error
        return None

    def why(self, pod: Object) -> str:
        """Return what a pod waits for that has its node, "" for nothing."""
        for state in _states(pod):
            if state.get("reason"):
                told = [state.get("message") or "", *self.events.get(pod["metadata"]["name"], ())]
                said = dict.fromkeys(f": {part}" for part in told if part)
                return f"pod {pod['metadata']['name']}: {state['reason']}{''.join(said)}"
        return ""

    def _cannot(self, pod: Object) -> tuple[InputError, float] | None:
        """Return why a pod cannot be started as it is, and for how long that is borne."""
        name = pod["metadata"]["name"]
        for container, state in zip(containers(pod), _states(pod), strict=True):
            reason, message = state.get("reason", ""), state.get("message", "")
            if remedy := _CANNOT_START.get(reason):
                if _AS_ROOT.search(message):
                    remedy = "Give the image a USER by its number and other than 0, as Assay's have"
                why = message or container["image"]
                passing = remedy is _IMAGE and _PASSING.search(message)
                return (
                    InputError(f"pod {name} cannot start: {reason}: {why}", remedy),
                    PASSING_SECONDS if passing else STUCK_SECONDS,
                )
        unscheduled = str((condition(pod, "PodScheduled", "False") or {}).get("message", ""))
        for said in (*self.events.get(name, ()), unscheduled):
            if _MISSING.search(said) or _LACKS.search(said):
                return InputError(f"pod {name} cannot start: {said}", _NAMED), STUCK_SECONDS
        return None


def to_begin(pods: Iterable[Object]) -> Iterator[Object]:
    """Yield the pods that have not begun: what is said of others is of before."""
    return (
        pod
        for pod in pods
        if not leaves(pod) and pod["status"].get("phase", "Pending") == "Pending"
    )


def _states(pod: Object) -> list[Object]:
    return [container.get("state", {}).get("waiting") or {} for container in containers(pod)]
