"""Follow a Job to its end by watching it, its pods and its PodGroup."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.cluster import explain
from assay.cluster.api import (
    GONE,
    PATIENCE_SECONDS,
    Api,
    ApiError,
    events,
    jobs,
    patiently,
    pod_groups,
    pods,
    request,
    watch,
)
from assay.cluster.logs import Relay, write
from assay.cluster.work import Answer
from assay.errors import StageError

Object = dict[str, Any]
Message = tuple[str, str, Any]

OVER = {"Completed", "Failed", "Terminated", "Aborted"}
RETRY_SECONDS = 5.0
STUCK_SECONDS = 30.0
EVENTS_SECONDS = 10.0
DRAIN_SECONDS = 300.0


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


def follow(api: Api, job: Object, stage: str, timeout: float) -> Answer:
    """Relay the Job's logs and tell why it waits until it ends; return its first pod's answer.

    `timeout` is in seconds, 0 for none. Raises InputError or StageError with the cause where the
    Job failed, cannot start, or takes longer.
    """
    view = View(api=api, stage=stage, job=job)
    changes: queue.SimpleQueue[Message] = queue.SimpleQueue()
    stop = threading.Event()
    _observe(api, job, changes, stop)
    try:
        _until_over(view, changes, timeout)
    finally:
        stop.set()
    return _ending(view)


def _until_over(view: View, changes: queue.SimpleQueue[Message], timeout: float) -> None:
    started = heard = time.monotonic()
    looked = started - EVENTS_SECONDS + 2
    stuck: float | None = None
    while view.phase not in OVER:
        now = time.monotonic()
        try:
            _take(view, changes.get(timeout=1.0))
            heard = now
        except queue.Empty:
            if now - heard > PATIENCE_SECONDS:
                raise StageError(
                    f"{view.stage}: the API server was silent for {PATIENCE_SECONDS:.0f} s",
                    "Try again: the Job goes on meanwhile",
                ) from None
        if not view.pods and now - looked > EVENTS_SECONDS:
            looked = now
            _look_at_events(view)
        if error := explain.cannot_start(view.pods.values()):
            stuck = stuck or now
            if now - stuck > STUCK_SECONDS:
                raise error
        else:
            stuck = None
        _check_relays(view)
        _tell(view)
        if explain.is_lost(view.pods.values()):
            raise explain.failed(view.stage, view.job, view.pods.values(), _last_lines(view))
        if timeout and now - started > timeout:
            why = f": {view.said}" if view.said else ""
            raise StageError(
                f"{view.stage}: the Job was not done within {timeout:.0f} s{why}",
                "Raise cluster.timeout_s, or ask for less",
            )


def _take(view: View, message: Message) -> None:
    kind, change, found = message
    if change == "ERROR":
        raise found
    if change == "NOTE":
        write(f"{found}\n".encode())
        return
    items = found.get("items") or [] if change == "LIST" else [found]
    if kind == "job" and (change == "DELETED" or (change == "LIST" and not items)):
        raise StageError(f"{view.stage}: the Job {view.name} was deleted", "Run it again")
    for item in items:
        if kind == "job":
            _take_job(view, item)
        elif kind == "group":
            view.group = item
        else:
            _take_pod(view, item, deleted=change == "DELETED")


def _take_job(view: View, job: Object) -> None:
    before = view.phase
    view.job = job
    if view.phase != before and view.phase in ("Running", "Restarting"):
        retried = job["status"].get("retryCount", 0)
        _say(f"{view.stage}: {view.phase.lower()}" + (f", restart {retried}" if retried else ""))


def _take_pod(view: View, pod: Object, *, deleted: bool) -> None:
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

    relay = Relay(view.api, name, prefix, over)
    view.relays[uid] = (relay, relay.start())


def _check_relays(view: View) -> None:
    for relay, _ in view.relays.values():
        if relay.error:
            raise relay.error


def _tell(view: View) -> None:
    """Say why the Job waits, when that has changed."""
    if view.relays:
        return
    why = explain.waiting(view.group, view.pods.values(), view.events)
    if why and why != view.said:
        view.said = why
        _say(f"{view.stage}: waiting: {why}")


def _say(line: str) -> None:
    write(f"{line}\n".encode())


def _look_at_events(view: View) -> None:
    """Read what Volcano says of a Job that has no pods. Raises InputError for a hopeless one."""
    group = f"{view.name}-{view.job['metadata']['uid']}"
    found = []
    try:
        for name in (view.name, group):
            query = {"fieldSelector": f"involvedObject.name={name}"}
            found += request(view.api, "GET", events(view.api), query=query)["items"]
    except ApiError as error:
        if error.passing:
            return
        raise
    view.events = explain.said_by(found)
    if hopeless := explain.hopeless(view.events):
        raise hopeless


def _ending(view: View) -> Answer:
    """Wait for the last lines of the logs, and return the first pod's answer or raise."""
    query = {"labelSelector": f"volcano.sh/job-name={view.name}"}
    left = patiently(lambda: request(view.api, "GET", pods(view.api), query=query))
    for pod in left["items"]:
        if pod["metadata"]["ownerReferences"][0]["uid"] == view.job["metadata"]["uid"]:
            _take_pod(view, pod, deleted=False)
    for _, thread in view.relays.values():
        thread.join(DRAIN_SECONDS)
    _check_relays(view)
    if view.phase == "Completed":
        answers = (explain.answer_of(pod) for pod in view.pods.values())
        found = [answer for answer in answers if answer and answer.metadata]
        return found[-1] if found else Answer()
    raise explain.failed(view.stage, view.job, view.pods.values(), _last_lines(view))


def _last_lines(view: View) -> Mapping[str, list[str]]:
    return {relay.pod: list(relay.last) for relay, _ in view.relays.values()}


def _observe(
    api: Api, job: Object, changes: queue.SimpleQueue[Message], stop: threading.Event
) -> None:
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    for kind, path, query in (
        ("job", jobs(api), {"fieldSelector": f"metadata.name={name}"}),
        ("group", pod_groups(api), {"fieldSelector": f"metadata.name={name}-{uid}"}),
        ("pod", pods(api), {"labelSelector": f"volcano.sh/job-name={name}"}),
    ):
        threading.Thread(
            target=_watch, args=(api, kind, path, query, changes, stop), name=kind, daemon=True
        ).start()


def _watch(
    api: Api,
    kind: str,
    path: str,
    query: Mapping[str, str],
    changes: queue.SimpleQueue[Message],
    stop: threading.Event,
) -> None:
    silent = False
    while not stop.is_set():
        try:
            for change, found in watch(api, path, query):
                changes.put((kind, change, found))
                silent = False
        except ApiError as error:
            if not error.passing and error.status != GONE:
                changes.put((kind, "ERROR", error))
                return
            if kind == "job" and not silent and error.status != GONE:
                changes.put((kind, "NOTE", f"{error.message}; the Job goes on, trying again"))
            silent = True
            stop.wait(max(error.wait, 0 if error.status == GONE else RETRY_SECONDS))
