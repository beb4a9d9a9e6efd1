"""A clock that only sleeping moves on, and a cluster on which things happen meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from assay.kubeflow.clock import Clock

Condition = Callable[[], bool]
PATIENCE = 120.0  # virtual seconds in which what a story waits for has to come true


class VirtualTime:
    """Begins now, as the stand-in's clock does."""

    def __init__(self) -> None:
        self.begun = self.seconds = time.time()
        self.pauses: list[float] = []
        self.clock = Clock(now=self.read, steady=self.read, sleep=self.sleep)
        self._story: Iterator[Condition] = iter(())
        self._until: Condition | None = None
        self._deadline = 0.0

    def read(self) -> float:
        """Return the time in virtual seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass, and with them what the story says."""
        self.pauses.append(seconds)
        self.seconds += seconds
        while self._until and self._until():
            self._go_on()
        assert self._until is None or self.seconds < self._deadline

    def tell(self, story: Iterator[Condition]) -> None:
        """Begin a story, which yields what it waits for before it goes on."""
        self._story = story
        self._go_on()

    def _go_on(self) -> None:
        self._until = next(self._story, None)
        self._deadline = self.seconds + PATIENCE
