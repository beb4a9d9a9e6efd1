"""A request that is asked again: as often as the settings say, and where the endpoint as a whole
has to be waited for, however often that takes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from assay.judge.outcome import CallError
from assay.judge.standstill import Asking, Standstill
from assay.judge.throttle import wait_s

T = TypeVar("T")


async def ask_again(
    ask: Callable[[Asking], Awaitable[T]],
    standstill: Standstill,
    retries: int,
    most_answered: float = math.inf,
) -> T:
    """Return what `ask` does in the end, after up to so many `retries`; what the endpoint as a
    whole has to be waited for is none of them. Raises the last CallError: one that does not pass,
    and one that came after more than `most_answered` failures which may have cost something."""
    attempt, answered, asking = 0, 0, Asking()
    while True:
        asking.last = attempt >= retries
        try:
            return await ask(asking)
        except CallError as error:
            answered += error.answered
            own = standstill.is_own(error, asking)
            if not error.transient or answered > most_answered or (asking.last and own):
                raise
            # where all wait, those go first that were not asked yet: they may well pass
            await asyncio.sleep(0 if error.held else wait_s(attempt, error.wait))
            attempt += own
