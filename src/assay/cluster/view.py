"""What is known of a Job that is followed, kept up with each change."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.cluster import explain, waiting
from assay.cluster.api import Api
from assay.cluster.logs import Relay, write
from assay.cluster.watches import Message, Object
from assay.errors import StageError


@dataclass(kw_only=True)
class View:
    """What is known of a Job: pods stay in it after they are gone. `stage` is for messages."""

    api: Api
    stage: str
    job: Object
    pods: dict[str, Object] = field(default_factory=dict)
    group: Object | None = None
    events: list[str] = field(default_factory=list)
    relays: dict[str, tuple[Relay, threading.Thread]] = field(default_factory=dict)
    said: str = ""

    @property
    def name(self) -> str:
        """Return the Job's name."""
        return str(self.job["metadata"]["name"])

    @property
    def phase(self) -> str:
        """Return the Job's phase, "" where Volcano has not seen it yet."""
        return str(self.job.get("status", {}).get("state", {}).get("phase", ""))

    @property
    def nodes(self) -> int:
        """Return how many pods the Job has."""
        return int(self.job["spec"]["minAvailable"])


def take(view: View, message: Message) -> None:
    """Take in one change. Raises what the API server refused, and StageError for a Job that
    somebody deleted."""
    kind, change, found = message
    if change == "ERROR":
        raise found
    if change == "NOTE":
        write(f"{found}\n".encode())
        return
    items = found.get("items") or [] if change == "LIST" else [found]
    if kind == "job" and (change == "DELETED" or (change == "LIST" and not items)):
        raise StageError(f"{view.stage}: the Job {view.name} was deleted", "Run it again")
    if kind == "pod" and change == "LIST":
        _mark_gone(view, {item["metadata"]["uid"] for item in items})
    for item in items:
        if kind == "job":
            _take_job(view, item)
        elif kind == "group":
            view.group = item
        else:
            take_pod(view, item, deleted=change == "DELETED")


def _take_job(view: View, job: Object) -> None:
    before = view.phase
    view.job = job
    retried = job.get("status", {}).get("retryCount", 0)
    gives_up = retried >= job["spec"]["maxRetry"]  # it says Restarting, and then Failed
    if view.phase != before and view.phase in ("Running", "Restarting") and not gives_up:
        _say(f"{view.stage}: {view.phase.lower()}" + (f", restart {retried}" if retried else ""))


def _mark_gone(view: View, there: set[str]) -> None:
    """A pod may have gone while nothing was watched."""
    for uid in view.pods.keys() - there:
        view.pods[uid]["metadata"]["deletionTimestamp"] = explain.GONE


def take_pod(view: View, pod: Object, *, deleted: bool = False) -> None:
    """Take in one pod, and relay its log as soon as there is one."""
    if deleted:
        pod["metadata"]["deletionTimestamp"] = explain.GONE
    uid = pod["metadata"]["uid"]
    view.pods[uid] = pod
    started = any(
        container["state"].get("running") or container["state"].get("terminated")
        for container in pod["status"].get("containerStatuses") or ()
    )
    if started and uid not in view.relays:
        _relay(view, uid, pod["metadata"]["name"])


def _relay(view: View, uid: str, name: str) -> None:
    prefix = f"[{name.removeprefix(view.name + '-')}] ".encode() if view.nodes > 1 else b""

    def over() -> bool:
        pod = view.pods[uid]
        return "deletionTimestamp" in pod["metadata"] or pod["status"].get("phase") in (
            "Succeeded",
            "Failed",
        )

    relay = Relay(view.api, name, uid, prefix, over)
    view.relays[uid] = (relay, relay.start())


def check_relays(view: View) -> None:
    """Raise what keeps a log from being read."""
    for relay, _ in view.relays.values():
        if relay.error:
            raise relay.error


def tell(view: View) -> None:
    """Say why the Job waits, when that has changed."""
    if view.relays:
        return
    why = waiting.reason(view.group, view.pods.values(), view.events)
    if why and why != view.said:
        view.said = why
        _say(f"{view.stage}: waiting: {why}")


def _say(line: str) -> None:
    write(f"{line}\n".encode())


def last_lines(view: View) -> Mapping[str, list[str]]:
    """Return the end of each pod's log."""
    return {relay.pod: list(relay.last) for relay, _ in view.relays.values()}
