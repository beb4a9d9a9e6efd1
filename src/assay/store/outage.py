"""Waiting for a store that has stopped answering.

A first contact fails within seconds: the address may be wrong. A store that has answered this
process, or that an earlier task of the run has used (`relied_on`), is waited for, as long as
`StoreSettings` say, and the time is counted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge

from assay.store.checksums import is_ended
from assay.text import clock

# What a store, or a proxy in front of it, answers while it is away or has too much to do.
PASSING = (429, 500, 502, 503, 504)
# What it answers with another status to the same effect, such as to a body that was long in coming.
PASSING_CODES = (
    *("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "SlowDownRead"),
    *("SlowDownWrite", "XMinioServerNotInitialized"),
)
SAY_SECONDS = 10.0
PAUSE_SECONDS = 2.0
_SINCE = "assay-away-since"


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """`wait_s` is how long a store that has stopped answering is waited for, in seconds."""

    wait_s: Annotated[float, Ge(0)] = 600.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an outage is waited out, in seconds, and by which clock."""

    seconds: float = StoreSettings.wait_s
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A store is waited for: `seconds` of `most` so far, `why`; whether it goes on, is over, or was
    in vain."""

    seconds: float
    most: float
    why: str = "the store does not answer"
    state: Literal["running", "done", "failed"] = "running"


Tell = Callable[[Wait], None]


def to_stderr(wait: Wait) -> None:
    """Say it as a line."""
    lines = {
        "running": f"{wait.why}: waiting for it, {clock(wait.most - wait.seconds)} at most",
        "done": f"the store does what it is asked again, after {clock(wait.seconds)}",
        "failed": f"{wait.why}: waited for it in vain, {clock(wait.seconds)}",
    }
    print(lines[wait.state], file=sys.stderr, flush=True)


patience = Patience()
_tell: Tell = to_stderr
_patient: ContextVar[bool] = ContextVar("patient", default=True)


class Watch:
    """What this process knows of the store at one address. Its threads share it."""

    def __init__(self) -> None:
        self.answered = self.given_up = False
        self.away_since: float | None = None
        self.said_at = 0.0
        self.waited = 0.0
        self.lock = threading.Lock()

    @property
    def trusted(self) -> bool:
        """Whether the store is known to be right, so that its silence is its own."""
        return self.answered or _relied_on

    def needs_retry(
        self, *, response: Any, caught_exception: Any, request_dict: Any, **_: Any
    ) -> float | None:
        """Be asked by botocore after each try of a request: having waited, return 0 for another
        try; None leaves it to the other handlers."""
        if response is not None and not is_passing(response[0].status_code, response[1]):
            self._hear(proven=_is_a_stores(*response))
            return None
        if not self.trusted or not _patient.get() or not self._is_passing(caught_exception):
            return None
        since = request_dict["context"].setdefault(_SINCE, patience.clock())
        return 0.0 if self.waits(since) else None

    def waits(self, since: float, why: str = Wait.why, pause: float = PAUSE_SECONDS) -> bool:
        """Wait a moment for a store that does not do what was asked `since` a time; return whether
        it is worth asking again."""
        if self.given_up:  # what else is asked of it does not wait as long once more
            return False
        with self.lock:
            self.away_since = since if self.away_since is None else min(self.away_since, since)
            waited = patience.clock() - self.away_since
        left = patience.seconds - waited
        if left <= 0:
            self._give_up(why)
            return False
        self._say(waited, why)
        patience.sleep(min(pause, left))
        return not is_ended()

    def _is_passing(self, error: Any) -> bool:
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError, SSLError

        if isinstance(error, SSLError):  # a certificate that was never right is no outage
            return self.answered
        return error is None or isinstance(error, NoConnection | HTTPClientError)

    def _hear(self, proven: bool) -> None:
        with self.lock:
            self.answered = self.answered or proven
            self.given_up = False
        self.over("done")

    def _give_up(self, why: str) -> None:
        self.given_up = True
        self.over("failed", why)

    def over(self, state: Literal["done", "failed"], why: str = Wait.why) -> None:
        """Count the wait that there may be, and say that it is over."""
        with self.lock:
            if self.away_since is None:
                return
            seconds = patience.clock() - self.away_since
            self.away_since, self.said_at = None, 0.0
            self.waited += seconds
        _tell(Wait(seconds=seconds, most=patience.seconds, why=why, state=state))

    def _say(self, waited: float, why: str) -> None:
        now = patience.clock()
        with self.lock:
            if self.said_at and now - self.said_at < SAY_SECONDS:
                return
            self.said_at = now or PAUSE_SECONDS
        _tell(Wait(seconds=waited, most=patience.seconds, why=why))


def is_passing(status: int | None, parsed: Any) -> bool:
    """Return whether a refusal, as botocore parsed it, says that the same again may succeed."""
    return status in PASSING or parsed.get("Error", {}).get("Code") in PASSING_CODES


def _is_a_stores(response: Any, parsed: Any) -> bool:
    """Return whether an answer is one of S3: another server's refusal has a number for a code."""
    code = str(parsed.get("Error", {}).get("Code", ""))
    return bool(response.status_code < 400 or (code and not code.isdecimal()))


_watches: dict[str, Watch] = {}
_relied_on = False


def watch(address: str) -> Watch:
    """Return what is known of the store at `address`."""
    return _watches.setdefault(address, Watch())


def waited() -> float:
    """Return how many seconds this process has waited for stores so far."""
    return sum(watched.waited for watched in _watches.values())


@contextmanager
def relied_on(relied: bool = True) -> Iterator[None]:
    """While the block runs, wait also for a store that has not answered this process yet; or, with
    False, inside such a block, do not."""
    global _relied_on
    before, _relied_on = _relied_on, relied
    try:
        yield
    finally:
        _relied_on = before


@contextmanager
def waiting(settings: StoreSettings) -> Iterator[None]:
    """While the block runs, wait as long as `settings` say."""
    global patience
    before, patience = patience, replace(patience, seconds=settings.wait_s)
    try:
        yield
    finally:
        patience = before


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """While the block runs, have `tell` called with each wait, from any thread."""
    global _tell
    before, _tell = _tell, tell
    try:
        yield
    finally:
        _tell = before


@contextmanager
def impatient() -> Iterator[None]:
    """While the block runs, do not wait in this thread, nor in those that work for it: what fails
    is tried again later, and nobody is kept waiting meanwhile."""
    token = _patient.set(False)
    try:
        yield
    finally:
        _patient.reset(token)
