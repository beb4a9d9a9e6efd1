"""What stages emit and listeners take: one event, and how events are passed on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units of one stage (and side) at `time`, seconds since the epoch. A
    resumed stage starts at the `done` that it found. `note` is one line for people; `waiting` says
    in its place what the stage waits for, as long as it does."""

    stage: str
    side: str = ""
    state: State = "running"
    done: int = 0
    total: int = 0
    unit: str = ""
    note: str = ""
    waiting: str = ""
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


def ended_by(error: BaseException) -> str:
    """Return what a stage's end says of the error that ended it: of one that only breaks off what
    runs that it was interrupted, which its own name does not tell a user."""
    if isinstance(error, Exception):
        return str(error) or type(error).__name__
    return str(error) or "interrupted"


def name(event: Progress) -> str:
    """Return the stage with its side, as people read it."""
    return f"{event.stage} ({event.side})" if event.side else event.stage
