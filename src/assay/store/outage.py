"""Waiting for a store that has stopped answering.

A first contact fails within seconds: the address may be wrong. A store that has answered this
process, or that an earlier task of the run has used (`relied_on`), is waited for.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from assay.store.checksums import is_ended

# What a store, or a proxy in front of it, answers while it is away or has too much to do.
PASSING = (429, 500, 502, 503, 504)
# What it answers with 400 to a request whose body was long in coming.
PASSING_CODES = ("RequestTimeout",)
SAY_SECONDS = 30.0
PAUSE_SECONDS = 2.0
_SINCE = "assay-away-since"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one request waits for its store, in seconds, and by which clock."""

    seconds: float = 600.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


patience = Patience()


class Watch:
    """What this process knows of the store at one address. Its threads share it."""

    def __init__(self) -> None:
        self.answered = self.given_up = False
        self.said_at: float | None = None
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
        if not self.trusted or self.given_up or not self._is_passing(caught_exception):
            return None
        since = request_dict["context"].setdefault(_SINCE, patience.clock())
        left = patience.seconds - (patience.clock() - since)
        if left <= 0:
            self.given_up = True  # what else is asked of it does not wait as long once more
            return None
        self._say(left)
        patience.sleep(min(PAUSE_SECONDS, left))
        return None if is_ended() else 0.0

    def _is_passing(self, error: Any) -> bool:
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError, SSLError

        if isinstance(error, SSLError):  # a certificate that was never right is no outage
            return self.answered
        return error is None or isinstance(error, NoConnection | HTTPClientError)

    def _hear(self, proven: bool) -> None:
        with self.lock:
            self.answered, self.given_up = self.answered or proven, False
            told, self.said_at = self.said_at is not None, None
        if told:
            print("the store answers again", file=sys.stderr, flush=True)

    def _say(self, left: float) -> None:
        now = patience.clock()
        with self.lock:
            if self.said_at is not None and now - self.said_at < SAY_SECONDS:
                return
            self.said_at = now
        minutes, seconds = divmod(round(left), 60)
        print(
            f"the store does not answer: waiting for it, {minutes}:{seconds:02} at most",
            file=sys.stderr,
            flush=True,
        )


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
