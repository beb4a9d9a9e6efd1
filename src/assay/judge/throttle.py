"""How fast to ask: how many requests in flight, how many requests and tokens a minute, and how
long to wait before asking again."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0
ENOUGH = 40
FEW = 0.05
OVERLOAD = 0.5
TOLERANCE = 2.0


@dataclass
class Epoch:
    """The requests sent under one limit: how many went through, how many were told to slow down."""

    passed: int = 0
    slowed: int = 0

    @property
    def seen(self) -> int:
        """How many outcomes are known."""
        return self.passed + self.slowed

    @property
    def share(self) -> float:
        """The share of outcomes that were rate limits."""
        return self.slowed / self.seen if self.seen else 0.0


class Throttle:
    """A bound on requests in flight that adapts: halved at a rate limit, then one wider for as
    many successes as it is wide.

    Where cuts do not lower the share of rate limits (some endpoints refuse a fixed share, whatever
    the load), they are taken back, and that share is tolerated from then on.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.cuts = 0
        self._top = self.limit
        self._ramp = 0.0
        self._before: Epoch | None = None
        self._now = Epoch()
        self._tolerated = 0.0
        self._flying = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def flying(self) -> int:
        """How many places are held."""
        return self._flying

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Epoch]:
        """Hold one place in flight; the value is what `passed` and `slowed` want back."""
        while self._flying >= int(self.limit):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._flying += 1
        try:
            yield self._now
        finally:
            self._flying -= 1
            self._wake()

    def passed(self, epoch: Epoch) -> None:
        """Count a request that was not told to slow down."""
        epoch.passed += 1
        if self._before is None:
            step = 1.0 if self.limit < self._ramp else 1 / self.limit
            self.limit = min(float(self.most), self.limit + step)
        else:
            self._judge_cut(epoch)

    def slowed(self, epoch: Epoch) -> None:
        """Count a rate limit."""
        epoch.slowed += 1
        if epoch is not self._now:
            return  # sent under a limit that is no more
        if self._before is not None:
            self._judge_cut(epoch)
        elif not self._tolerated or (epoch.seen >= ENOUGH and epoch.share > self._tolerated):
            self._top = self.limit
            self._cut(epoch)

    def restart(self) -> None:
        """Begin anew after all have waited: with one in flight, then twice as many each time, up to
        half of what it was."""
        self._ramp = self.limit / 2
        self._begin(1.0, None)

    def _judge_cut(self, epoch: Epoch) -> None:
        """Once there is enough to compare: take the cuts back, cut again, or let it be."""
        before = self._before
        if before is None or epoch is not self._now or epoch.seen < ENOUGH:
            return
        if _is_no_better(epoch, before):
            self._tolerated = TOLERANCE * max(epoch.share, before.share)
            self._begin(self._top, None)
        elif epoch.share > FEW:
            self._cut(epoch)
        else:
            self._before = None

    def _cut(self, epoch: Epoch) -> None:
        self.cuts += 1
        self._begin(max(1.0, self.limit / 2), epoch)

    def _begin(self, limit: float, before: Epoch | None) -> None:
        self.limit = limit
        self._before = before
        self._now = Epoch()
        self._wake()

    def _wake(self) -> None:
        free = int(self.limit) - self._flying
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


class Meter:
    """A bound on units (requests, tokens) a minute: takes are spread evenly over the minute."""

    def __init__(self, per_minute: int) -> None:
        self._each = 60 / per_minute if per_minute else 0.0
        self._next = 0.0

    async def take(self, amount: float) -> None:
        """Wait until `amount` more units are allowed."""
        if not self._each:
            return
        now = asyncio.get_running_loop().time()
        turn = max(self._next, now)
        self._next = turn + amount * self._each
        if turn > now:
            await asyncio.sleep(turn - now)

    def correct(self, amount: float) -> None:
        """Count `amount` units more (or fewer) than were taken."""
        self._next += amount * self._each


def _is_no_better(epoch: Epoch, before: Epoch) -> bool:
    """Return whether half the flight met rate limits as often: within two standard errors of the
    difference of two shares. Above one half, an overload looks the same, so that says nothing."""
    share = (epoch.slowed + before.slowed) / (epoch.seen + before.seen)
    error = math.sqrt(share * (1 - share) * (1 / epoch.seen + 1 / before.seen))
    return FEW < epoch.share < OVERLOAD and epoch.share >= before.share - 2 * error


def wait_s(attempt: int, asked: float | None) -> float:
    """Return the seconds to wait before request `attempt` + 1: what the endpoint `asked` for, or
    an exponential back-off with full jitter."""
    if asked is not None:
        return asked + random.uniform(0, 0.1 * asked)  # noqa: S311
    return random.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt))  # noqa: S311
