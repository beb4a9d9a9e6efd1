"""What time it is, and how to let time pass: a test hands in a clock that does not wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The time in seconds, since 1970 (`now`) and since some moment (`steady`, which nobody sets
    back), and `sleep`, which lets so many seconds pass."""

    now: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()
