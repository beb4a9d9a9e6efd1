"""What is known of a Job that is followed, kept up with each change."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.errors import StageError
from assay.text import flat
from assay.volcano import explain, waiting
from assay.volcano.api import Api
from assay.volcano.observe import Notice, Object
from assay.volcano.pods import containers, leaves
from assay.volcano.relay import Relay, write
from assay.volcano.starting import Starting, to_begin
from assay.volcano.summed import Summed
from assay.volcano.work import SHARDS

WAITING = ("", "Pending", "Restarting")
SETTLED_SECONDS = 10.0


@dataclass(kw_only=True)
class JobState:
    """What is known of a Job: pods stay in it after they are gone. `stage` is for messages."""

    api: Api
    stage: str
    job: Object
    pods: dict[str, Object] = field(default_factory=dict)
    group: Object | None = None
    events: list[str] = field(default_factory=list)
    relays: dict[str, tuple[Relay, threading.Thread]] = field(default_factory=dict)
    starting: Starting = field(default_factory=Starting)
    lacking_since: float = 0.0  # since when a quota keeps a shard's pod from being made
    closed: str = ""  # that its queue is not open, and since when (monotonic, seconds)
    closed_since: float = 0.0
    forgotten_since: float = 0.0  # since when it restarts and has no pod (monotonic, seconds)
    why: str = ""  # why it waits, as it was told
    reasons: frozenset[str] = frozenset()  # what it was found to be, and since when
    reasons_since: float = 0.0
    told: frozenset[str] = frozenset()
    summed: Summed | None = None  # of a Job that has shards
    away: set[str] = field(default_factory=set)  # its pods that were said to be taken away

    @property
    def name(self) -> str:
        """Return the Job's name."""
        return str(self.job["metadata"]["name"])

    @property
    def phase(self) -> str:
        """Return the Job's phase, "" where Volcano has not seen it yet."""
        return str(self.job.get("status", {}).get("state", {}).get("phase", ""))

    @property
    def waits(self) -> bool:
        """Whether none of its pods runs, and some still have to."""
        return not self.runs and (self.phase in WAITING or any(to_begin(self.pods.values())))

    @property
    def runs(self) -> bool:
        """Whether one of its pods runs."""
        return any(_runs(pod) for pod in self.pods.values())

    @property
    def count(self) -> int:
        """Return how many pods the Job has."""
        return sum(int(task["replicas"]) for task in self.job["spec"]["tasks"])

    @property
    def together(self) -> int:
        """Return how many of them there has to be room for at once."""
        return int(self.job["spec"]["minAvailable"])

    @property
    def there(self) -> list[Object]:
        """Return its pods that nobody is deleting."""
        return [pod for pod in self.pods.values() if not leaves(pod)]

    @property
    def made(self) -> int:
        """Return how many of them there are."""
        return len({pod["metadata"]["name"] for pod in self.there})

    @property
    def shards(self) -> int:
        """Return into how many shards the work is cut that its pods do."""
        first = self.job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]
        told = {entry["name"]: entry.get("value") for entry in first["env"]}
        return int(told.get(SHARDS) or self.count)

    @property
    def has_shards(self) -> bool:
        """Whether its pods answer a share each, and need no other to."""
        return self.count > 1 and self.together == 1

    @property
    def goes_on(self) -> bool:
        """Whether it goes on without a pod that is lost or cannot start."""
        return self.has_shards and self.runs


def take(state: JobState, notice: Notice) -> None:
    """Take in one change. Raises what the API server refused, and StageError for a Job that
    somebody deleted."""
    kind, change, subject = notice
    if change == "ERROR":
        raise subject
    if change == "NOTE":
        write(f"{subject}\n".encode())
        return
    items = subject.get("items") or [] if change == "LIST" else [subject]
    if kind == "job" and (change == "DELETED" or (change == "LIST" and not items)):
        raise StageError(f"{state.stage}: the Job {state.name} was deleted", "Run it again")
    if kind == "pod" and change == "LIST":
        _mark_gone(state, {item["metadata"]["uid"] for item in items})
    for item in items:
        if kind == "job":
            _take_job(state, item)
        elif kind == "group":
            state.group = item
        else:
            take_pod(state, item, deleted=change == "DELETED")


def _take_job(state: JobState, job: Object) -> None:
    before = state.phase
    state.job = job
    retried = job.get("status", {}).get("retryCount", 0)
    gives_up = retried >= job["spec"]["maxRetry"]  # it says Restarting, and then Failed
    if state.phase != before and state.phase in ("Running", "Restarting") and not gives_up:
        _say(f"{state.stage}: {state.phase.lower()}" + (f", restart {retried}" if retried else ""))


def _mark_gone(state: JobState, there: set[str]) -> None:
    """A pod may have gone while nothing was watched."""
    for uid in state.pods.keys() - there:
        state.pods[uid]["metadata"]["deletionTimestamp"] = explain.GONE


def take_pod(state: JobState, pod: Object, *, deleted: bool = False) -> None:
    """Take in one pod, and relay its log as soon as there is one."""
    if deleted:
        pod["metadata"]["deletionTimestamp"] = explain.GONE
    uid = pod["metadata"]["uid"]
    state.pods[uid] = pod
    _tell_of_loss(state, uid, pod)
    started = any(
        container["state"].get("running") or container["state"].get("terminated")
        for container in pod["status"].get("containerStatuses") or ()
    )
    if started and uid not in state.relays:
        _relay(state, uid, pod["metadata"]["name"])


def _tell_of_loss(state: JobState, uid: str, pod: Object) -> None:
    """Say it of a shard that is taken away: the others go on, so nothing else does."""
    why = explain.taken_away(pod)
    if why and state.has_shards and uid not in state.away:
        state.away.add(uid)
        name = _short(state, pod["metadata"]["name"])
        _say(flat(f"{state.stage}: {name}: {why}; it goes on when there is room again"))


def _short(state: JobState, name: str) -> str:
    return name.removeprefix(f"{state.name}-")


def _relay(state: JobState, uid: str, name: str) -> None:
    short = _short(state, name)
    prefix = f"[{short}] ".encode() if state.count > 1 else b""
    if state.has_shards and state.summed is None:
        state.summed = Summed(shards=state.shards)

    def over() -> bool:
        pod = state.pods[uid]
        return leaves(pod) or pod["status"].get("phase") in ("Succeeded", "Failed")

    relay = Relay(state.api, name, uid, prefix, over)
    if state.summed:
        relay.told = functools.partial(state.summed.take, short)
    state.relays[uid] = (relay, relay.start())


def check_relays(state: JobState) -> None:
    """Raise what keeps a log from being read."""
    for relay, _ in state.relays.values():
        if relay.error:
            raise relay.error


def tell(state: JobState, now: float) -> None:
    """Say why the Job waits: what is new at once, in whatever order it comes, and that something is
    over when it has been so for a while; some reasons come and go. `now` is monotonic, seconds."""
    if not state.waits:
        state.told = frozenset()
        return
    parts = [state.closed] if state.closed else _reasons(state)
    if frozenset(parts) != state.reasons:
        state.reasons, state.reasons_since = frozenset(parts), now
    settled = now - state.reasons_since > SETTLED_SECONDS
    news = any(not any(part in before for before in state.told) for part in parts)
    if news or (parts and settled and state.reasons != state.told):
        state.told, state.why = state.reasons, "; ".join(parts)
        _say(flat(f"{state.stage}: waiting: {state.why}"))


def _reasons(state: JobState) -> list[str]:
    start = next(filter(None, map(state.starting.why, state.there)), "")
    return waiting.reasons(state.group, state.there, state.events, start)


def _runs(pod: Object) -> bool:
    states = (container.get("state", {}) for container in containers(pod))
    return not leaves(pod) and any("running" in now for now in states)


def _say(line: str) -> None:
    write(f"{line}\n".encode())


def last_lines(state: JobState) -> Mapping[str, list[str]]:
    """Return the end of each pod's log."""
    return {relay.pod: list(relay.last) for relay, _ in state.relays.values()}
