"""An event loop whose clock jumps to the next timer: hours of waiting in milliseconds, and the
same whatever else the machine does."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def run(main: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Run `main`; return its value and the virtual seconds that it took."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        value = runner.run(main)
        return value, runner.get_loop().time()
