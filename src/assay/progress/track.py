"""How a stage reports itself: a loop in `track`, and bytes that were moved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from assay.progress.events import Listener, Progress, ended_by


@dataclass
class Tracker:
    """The stage's end of `track`: the latest event, and the means to move it on."""

    listener: Listener
    event: Progress
    every: float
    sent: float = 0.0

    def advance(self, count: int = 1, note: str = "") -> None:
        """Report `count` more units done; events closer together than `every` are merged."""
        self.at(self.event.done + count, note)

    def at(self, done: int, note: str = "", total: int | None = None) -> None:
        """Report `done` units done in all, of `total` where that is only known now."""
        self.event = replace(
            self.event,
            done=done,
            total=self.event.total if total is None else total,
            note=note or self.event.note,
            time=time.time(),
        )
        if self.event.time - self.sent >= self.every:
            self.send()

    def wait(self, what: str) -> None:
        """Report now what the stage waits for; "" where it goes on."""
        self.event = replace(self.event, waiting=what, time=time.time())
        self.send()

    def send(self) -> None:
        """Pass on the latest event now."""
        self.sent = self.event.time
        self.listener(self.event)


@contextmanager
def track(
    listener: Listener,
    stage: str,
    *,
    total: int,
    unit: str,
    side: str = "",
    done: int = 0,
    note: str = "",
    every: float = 0.25,
) -> Iterator[Tracker]:
    """Report one stage from its first event to "done", or "failed" where its body raises."""
    tracker = Tracker(
        listener,
        Progress(stage=stage, side=side, done=done, total=total, unit=unit, note=note),
        every,
    )
    tracker.send()
    try:
        yield tracker
    except BaseException as error:
        tracker.event = replace(
            tracker.event,
            state="failed",
            note=ended_by(error),
            waiting="",
            time=time.time(),
        )
        raise
    else:
        tracker.event = replace(tracker.event, state="done", waiting="", time=time.time())
    finally:
        tracker.send()


def megabytes(tracker: Tracker) -> Callable[[int], None]:
    """Return a function that is told of bytes, from any thread, and reports whole megabytes."""
    lock, total = threading.Lock(), 0

    def advance(count: int) -> None:
        nonlocal total
        with lock:
            total += count
            tracker.at(total >> 20)

    return advance


def moved(listener: Listener) -> Callable[[int], None]:
    """Return a function that is told of bytes, from any thread, and reports how many megabytes
    have gone to or come from a store, where it is not known how many there will be."""
    lock, total = threading.Lock(), 0

    def advance(count: int) -> None:
        nonlocal total
        with lock:
            before, total = total, total + count
            if total >> 24 > before >> 24:  # every 16 MB
                listener(Progress(stage="store", note=f"{total >> 20:,} MB done"))

    return advance
