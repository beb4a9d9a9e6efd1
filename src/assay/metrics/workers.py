"""Mapping a function over many items on several processes, in order, with bounded memory."""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from assay.errors import StageError

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 3


def ordered_map(function: Callable[[T], R], items: Iterable[T], processes: int) -> Iterator[R]:
    """Yield `function(item)` for each item, in order, as `map` does.

    At most three items a process are under way. Where the platform forks safely, processes share
    what this one has loaded. Raises StageError where a process is killed.
    """
    if processes == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[R]] = deque()
    with ProcessPoolExecutor(processes, multiprocessing.get_context(_start_method())) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= _AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise StageError(
                "A process that computed metrics was killed",
                "Give the stage more memory, or set metrics.processes to 1",
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _start_method() -> str:
    return "fork" if sys.platform == "linux" else "spawn"
