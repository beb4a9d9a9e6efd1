"""One progress protocol: stages emit `Progress` events, listeners show or store them.

A stage takes a `Listener` and wraps its loop in `track`; where the events end up (the terminal, a
log, progress.jsonl, a launcher in another pod) is not its business.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TextIO

from assay import store

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units of one stage (and side) at `time`, seconds since the epoch. A
    resumed stage starts at the `done` that it found. `note` is one line for people."""

    stage: str
    side: str = ""
    state: State = "running"
    done: int = 0
    total: int = 0
    unit: str = ""
    note: str = ""
    time: float = field(default_factory=time.time)


Listener = Callable[[Progress], None]


def ignore(event: Progress) -> None:
    """Listen to nothing."""


def tee(*listeners: Listener) -> Listener:
    """Return a listener that passes each event to all `listeners`."""

    def listen(event: Progress) -> None:
        for listener in listeners:
            listener(event)

    return listen


def to_file(path: Path) -> Listener:
    """Return a listener that appends each event to a JSONL file."""

    def listen(event: Progress) -> None:
        with store.appending(path) as file:
            store.append(file, event)

    return listen


def to_lines(stream: TextIO | None = None, every: float = 5.0) -> Listener:
    """Return a listener that prints plain lines, for logs: at most one in `every` seconds a
    stage, and always the first and the last."""
    pace = Pace()
    printed: dict[tuple[str, str], float] = {}

    def listen(event: Progress) -> None:
        line = pace.describe(event)
        key = (event.stage, event.side)
        if event.state == "running" and event.time - printed.get(key, 0.0) < every:
            return
        printed[key] = event.time
        print(line, file=stream or sys.stdout, flush=True)

    return listen


class Pace:
    """How fast each stage goes, from the events seen so far. The clock of a rate starts when the
    first unit does (loading a model is no slow sample), the clock of a stage with its first
    event, and again with the first after its end."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Progress] = {}
        self._base: dict[tuple[str, str], Progress] = {}
        self._ended: set[tuple[str, str]] = set()

    def describe(self, event: Progress) -> str:
        """Return one line: stage, done of total, rate, time left or taken, note."""
        self._begin_or_end(event)
        speed, seconds = self.rate(event), self.seconds(event)
        counted = f"{event.done}/{event.total} {event.unit}" if event.total else ""
        parts = [f"{name(event)}: {counted}"] if counted else [name(event)]
        parts += [f"{speed:.3g}/s"] if speed else []
        if event.state != "running":
            parts.append(f"{event.state} in {clock(seconds)}")
        elif speed:
            parts.append(f"{clock((event.total - event.done) / speed)} left")
        return ", ".join([*parts, event.note] if event.note else parts)

    def _begin_or_end(self, event: Progress) -> None:
        key = (event.stage, event.side)
        if event.state != "running":
            self._ended.add(key)
        elif key in self._ended:
            self._ended.remove(key)
            self._first.pop(key, None)
            self._base.pop(key, None)

    def rate(self, event: Progress) -> float | None:
        """Return units a second, or None while nothing was done."""
        key = (event.stage, event.side)
        base = self._base.setdefault(key, event)
        if event.done <= base.done:
            self._base[key] = event
            return None
        return (event.done - base.done) / max(event.time - base.time, 1e-9)

    def seconds(self, event: Progress) -> float:
        """Return the seconds since the stage's first event."""
        return event.time - self._first.setdefault((event.stage, event.side), event).time


_LINE = re.compile(
    r"(?P<stage>[a-z][\w -]*?)(?: \((?P<side>\w+)\))?: (?P<done>\d+)/(?P<total>\d+) (?P<unit>\w+)"
    r"(?:, [\d.e+-]+/s)?(?:, (?:[\d:]+ left|(?P<state>done|failed) in [\d:]+))?(?:, (?P<note>.*))?"
)


def read_line(line: str) -> Progress | None:
    """Return the event that a line of `Pace.describe` tells, None for any other line."""
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        return None
    states: dict[str, State] = {"done": "done", "failed": "failed"}
    return Progress(
        stage=found["stage"],
        side=found["side"] or "",
        state=states.get(found["state"], "running"),
        done=int(found["done"]),
        total=int(found["total"]),
        unit=found["unit"],
        note=found["note"] or "",
    )


def name(event: Progress) -> str:
    """Return the stage with its side, as people read it."""
    return f"{event.stage} ({event.side})" if event.side else event.stage


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
            tracker.event, state="failed", note=str(error) or type(error).__name__, time=time.time()
        )
        raise
    else:
        tracker.event = replace(tracker.event, state="done", time=time.time())
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


def clock(seconds: float) -> str:
    """Return a duration as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
