"""The lease on a Job, so that none works on that nobody waits for.

A launcher that was killed cannot end its Job, and the run may end or be canceled meanwhile. So a
launcher renews a small object beside the task's output, in the store, which a worker reaches
without any right in the cluster; and a worker that has seen no change of it for so long ends itself
and keeps what it has. What cannot be read proves nothing: a store that is away ends no Job.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from assay import exits, store
from assay.errors import AssayError, StageError
from assay.queues import Work
from assay.text import flat

LEASE = "ASSAY_LEASE_S"  # how long a worker works without a launcher, seconds; 0: for ever
SHARES = 10  # a lease is renewed, and looked at, so many times in its term
JOIN_SECONDS = 300.0  # a request that gets no answer takes so long
_LOST = signal.SIGUSR1


class AbandonedError(StageError):
    """Nobody follows this Job any more."""

    exit_code = exits.CANCELED


def place(work: Work) -> str:
    """Return the URI of the lease on the Job of `work`."""
    return f"{work.key}.lease"


@contextmanager
def renewed(work: Work, seconds: float) -> Iterator[float]:
    """Renew the lease on the Job of `work` while the block runs, and remove it then. Yield its term
    in seconds, 0.0 where the store takes none."""
    if not seconds:
        yield 0.0
        return
    uri, stop, written = place(work), threading.Event(), threading.Event()

    def renew() -> None:
        while not stop.wait(seconds / SHARES):
            with store.impatient():  # or one that waits for the store would come after the removal
                if not _write(uri):
                    written.set()

    with store.relied_on(False):  # a Job is not kept waiting for it
        problem = _write(uri)
    if not problem:
        written.set()
    else:
        print(
            flat(f"{work.stage}: its Job would work on without a launcher: {problem}"), flush=True
        )
    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield 0.0 if problem else seconds
    finally:
        stop.set()
        if sys.exc_info()[0] is not KeyboardInterrupt:  # for which time is short
            renewing.join(JOIN_SECONDS)
            if written.is_set():  # perhaps later than at first: the store was away, and is back
                _remove(uri)


def _write(uri: str) -> str:
    """Write what was never there before; return what was in the way, "" for nothing."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / "lease"
        path.write_text(uuid.uuid4().hex)
        try:
            store.publish(path, uri)
        except AssayError as error:
            return error.what
    return ""


def _remove(uri: str) -> None:
    try:
        store.remove(uri)
    except AssayError as error:
        print(flat(f"{uri} is left in the store: {error.what}"), file=sys.stderr, flush=True)


@dataclass(kw_only=True)
class Lookout:
    """What a worker has seen of its lease: when it `changed` last, when it was looked at `last`."""

    seconds: float
    changed: float
    last: float
    version: str = ""

    def is_lost(self, version: str | None, now: float) -> bool:
        """Take in the lease's version, None where it could not be read, and return whether nobody
        renews it. A worker that was held up itself has not looked, which proves nothing."""
        held_up = now - self.last > self.seconds / 2
        self.last = now
        if version is None or version != self.version or held_up:
            self.changed = now
            self.version = self.version if version is None else version
        return now - self.changed > self.seconds


@contextmanager
def watched(work: Work, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Raise AbandonedError in the block once nobody renews the lease on the Job of `work`, whose
    term the environment tells; in the main thread, again and again until it has come through."""
    seconds = float(os.environ.get(LEASE) or 0)
    if not seconds:
        yield
        return
    uri, stop = place(work), threading.Event()
    watch = Lookout(seconds=seconds, changed=clock(), last=clock())

    def look() -> None:
        while not stop.wait(seconds / SHARES):
            if watch.is_lost(_version(uri), clock()):
                os.kill(os.getpid(), _LOST)

    def abandon(_number: int, _frame: FrameType | None) -> None:
        raise AbandonedError(
            f"nobody has followed this Job for {seconds:.0f} s",
            "Run it again, or press Retry in KFP: it goes on from what is kept",
        )

    before = signal.signal(_LOST, abandon)
    threading.Thread(target=look, name="lease", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        signal.signal(_LOST, before)


def _version(uri: str) -> str | None:
    try:
        return store.version(uri)
    except AssayError:
        return None
