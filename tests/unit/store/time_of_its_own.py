"""A time that only waiting moves, in place of the one that the store is waited for by."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Time:
    """A clock that only waiting moves; the store is back when it shows `back`."""

    away: threading.Event = field(default_factory=threading.Event)
    back: float = float("inf")
    now: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds
        if self.now >= self.back:
            self.away.clear()
