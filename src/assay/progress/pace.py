"""How fast a stage goes, as the lines that logs and terminals show, and those lines read back."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from assay.progress.events import Listener, Progress, State, name
from assay.text import clock, flat

WAITING_EVERY = 30.0


def to_lines(stream: TextIO | None = None, every: float = 5.0) -> Listener:
    """Return a listener that prints plain lines, for logs: at most one in `every` seconds a
    stage, of one that waits in half a minute, and always the first, the last, and those with which
    a wait begins and ends. Without a `stream` it is what is the standard output now: a pipeline on
    this machine has its own in a file while it runs."""
    pace, out = Pace(), stream or sys.stdout
    printed: dict[tuple[str, str], Progress] = {}

    def listen(event: Progress) -> None:
        line = pace.describe(event)
        last = printed.get((event.stage, event.side))
        goes_on = event.state == "running" and last and bool(event.waiting) == bool(last.waiting)
        pause = WAITING_EVERY if event.waiting else every
        if goes_on and last and event.time - last.time < pause:
            return
        printed[event.stage, event.side] = event
        print(line, file=out, flush=True)

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
        """Return one line: stage, done of total, rate, time left or taken, note; of a stage that
        waits, for what."""
        self._begin_or_end(event)
        speed, seconds = self.rate(event), self.seconds(event)
        counted = f"{event.done}/{event.total} {event.unit}" if event.total else ""
        parts = [f"{name(event)}: {counted}"] if counted else [name(event)]
        if event.waiting:
            return ", ".join([*parts, event.waiting])
        parts += [f"{speed:.3g}/s" if speed < 1000 else f"{speed:,.0f}/s"] if speed else []
        if event.state != "running":
            parts.append(f"{event.state} in {clock(seconds)}")
        elif speed:
            parts.append(f"{clock((event.total - event.done) / speed)} left")
        return flat(", ".join([*parts, event.note] if event.note else parts))

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
        if not event.total:  # a stage that loads something before its first unit
            return None
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
    r"(?:, [\d.,e+-]+/s)?(?:, (?:[\d:]+ left|(?P<state>done|failed) in [\d:]+))?(?:, (?P<note>.*))?"
)


def read_line(line: str) -> Progress | None:
    """Return the event that a line of `Pace.describe` tells, None for any other line."""
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        return None
    states: dict[str, State] = {"done": "done", "failed": "failed"}
    return Progress(
        stage=match["stage"],
        side=match["side"] or "",
        state=states.get(match["state"], "running"),
        done=int(match["done"]),
        total=int(match["total"]),
        unit=match["unit"],
        note=match["note"] or "",
    )
