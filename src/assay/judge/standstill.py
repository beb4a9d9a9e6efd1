"""An endpoint at a standstill: it asks for time, or does not answer at all, so that whatever is to
be asked of it waits together, and one request after the other finds out whether it goes on.

What one request is refused while others go through is that request's own, and counts as a retry.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.judge.causes import LIMITED
from assay.judge.outcome import CallError
from assay.judge.settings import JudgeSettings
from assay.judge.throttle import LONGEST_WAIT_S
from assay.progress import clock

# so short a wait is that of the request that was told to wait: some endpoints refuse a share of all
ALONE_S = LONGEST_WAIT_S
SHORT_S, TOLD_S = 1.0, 60.0  # a longer wait than this is no retry, until they are so long in all
FEWEST = 3  # so many different requests that fail say something of the endpoint
BY_CHANCE = 1e-3  # where a share is refused, so rarely so many in a row are taken for all
TICK_S = 1.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = {"limit": 30.0, "away": 5.0}
MOST_QUOTED = 100

Halt = Literal["limit", "away"]
TellText = Callable[[str], None]


@dataclass(kw_only=True)
class _Hold:
    """All requests wait from `begun` on (seconds of the loop's clock), and one is tried at `until`.
    Nothing has passed `since`."""

    kind: Halt
    begun: float
    since: float
    until: float
    error: CallError
    tries: int = 0


@dataclass(eq=False)
class Asking:
    """One request, however often it is asked: how many had passed when it failed first, or is sent
    now, and when it had to wait last (-1: never); whether it may not be asked again by itself, and
    whether it failed again once others had passed, so that it says nothing of the endpoint; and how
    long it was told to wait alone, in seconds."""

    failed: int = -1
    sent: int = -1
    waited: int = -1
    last: bool = False
    own: bool = False
    told_s: float = 0.0


def to_nobody(_: str) -> None:
    """Say nothing of what is waited for."""


class Standstill:
    """Whether one endpoint goes on, for all requests to it within one event loop. `tell` is told
    each second what is waited for, and "" when it goes on; `wall` is the clock that the user reads.
    So many different requests as are the `fewest` have to fail before it is the endpoint's fault.

    `ended` is why nothing more is asked, once a wait would be longer than the settings allow.
    """

    def __init__(
        self,
        settings: JudgeSettings,
        tell: TellText,
        wall: Callable[[], float] = time.time,
        *,
        fewest: int = FEWEST,
    ) -> None:
        self._fewest = fewest
        self.ended: CallError | None = None
        self._passes = 0
        self._bounds = {"limit": settings.max_wait_s, "away": settings.outage_s}
        self._concurrency = settings.concurrency
        self._tell = tell
        self._wall = wall
        self._failing: set[Asking] = set()  # since one has passed
        self._long = 0  # so many were told a wait that is more than one request's
        self._since: float | None = None  # from then on nothing passed, and a request was given up
        self._waited = 0.0
        self._hold: _Hold | None = None
        self._one = asyncio.Lock()

    @property
    def held(self) -> bool:
        """Whether requests wait at present."""
        return self._hold is not None

    @property
    def doubted(self) -> bool:
        """Whether what failed so far may be the requests' own fault, as no connection is not."""
        hold = self._hold
        return bool(hold and hold.error.away != "gone" and (hold.kind == "away" or hold.tries))

    @property
    def waited_s(self) -> float:
        """How long, in seconds, all requests waited so far."""
        return self._waited + (_now() - self._hold.begun if self._hold else 0.0)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Hold the right to ask: at once, or at a standstill after the others, alone. The value
        is whether this request is the one that finds out. Raises CallError once it has `ended`."""
        if self._hold is None:
            yield False
            return
        async with self._one:
            if self._hold is not None:
                await self._sit(self._hold)
                yield True
                return
        yield False

    def is_own(self, error: CallError, asking: Asking) -> bool:
        """Whether what this request is refused counts against it: where all wait, only if others
        have passed since it had to wait before; where it waits alone as it is told, only once that
        would take too long."""
        if not error.held:
            asking.told_s += error.wait or 0.0
            told = error.cause == LIMITED and (error.wait or 0.0) > SHORT_S
            return not told or asking.told_s > min(TOLD_S, self._bounds["limit"])
        before, asking.waited = asking.waited, self._passes
        goes_on = before not in (-1, self._passes)
        asking.own = asking.own or goes_on
        return goes_on

    def sent(self, asking: Asking) -> float:
        """Note that a request leaves, and return when."""
        asking.sent = self._passes
        return _now()

    def passed(self, sent: float) -> Halt | None:
        """Count a request that was `sent` then, and answered. Return what it was that all others
        waited for, and now go on."""
        self._passes += 1
        self._failing.clear()
        self._since = None
        if self._hold is None or sent <= self._hold.begun or self.ended:
            return None
        kind = self._hold.kind
        self._release()
        return kind

    def failed(self, error: CallError, sent: float, asking: Asking, flying: int) -> bool:
        """Note a request that was `sent` then, and failed, one of so many `flying`. Return whether
        it is the endpoint that has to be waited for."""
        kind = _kind_of(error) or ("away" if self._hold and error.transient else None)
        if kind is None:
            if not error.transient:
                self.passed(sent)
            return False
        if kind == "away" and asking.own and error.away != "gone" and not self._hold:
            return False
        self._failing.add(asking)
        if self._hold is None:
            if not self._begins(kind, error, asking, flying):
                return False
            since = _now() if self._since is None else self._since
            self._hold = _Hold(kind=kind, begun=_now(), since=since, until=0.0, error=error)
            self._put_off(self._hold, kind, error)
        elif sent > self._hold.begun:
            self._hold.tries += 1
            self._put_off(self._hold, kind, error)
        elif _now() + (error.wait or 0.0) > self._hold.until:
            self._put_off(self._hold, kind, error)  # it was asked before, and told a longer wait
        return self.held

    def _begins(self, kind: Halt, error: CallError, asking: Asking, flying: int) -> bool:
        if self._since is not None:
            return True
        if kind == "limit" and _asks(error):
            return self._limits_all(error)
        before, asking.failed = asking.failed, self._passes if asking.failed < 0 else asking.failed
        used_up = asking.last and self._passes == (asking.sent if before < 0 else before)
        # some endpoints refuse a share of all requests by their limit, whatever the load
        wide = flying if kind == "away" else self._concurrency
        many = len(self._failing) >= max(self._fewest, wide)
        some = error.away == "gone" or len(self._failing) >= self._fewest
        enough = many or (used_up and some)
        return enough and self._bounds[kind] > 0

    def _limits_all(self, error: CallError) -> bool:
        """Whether a long wait is the whole endpoint's: nothing has passed yet, or more in a row
        were told so than by chance are at the share of all that were. Else it is that request's
        own, which is given up where it would be too long; a few such in a row end it."""
        self._long += 1
        share = (self._long + 1) / (self._long + self._passes + 2)
        by_chance = math.ceil(math.log(BY_CHANCE) / math.log(share))
        too_long = (error.wait or 0.0) > self._bounds["limit"]
        row = self._fewest if too_long else max(self._fewest, by_chance)
        if not self._passes or len(self._failing) >= min(row, self._concurrency):
            return True
        error.transient = not too_long
        return False

    def _put_off(self, hold: _Hold, kind: Halt, error: CallError) -> None:
        """Set when the next one is tried. Where that is beyond the bound it has ended, or, where
        too few fail to blame the endpoint, that one request is given up."""
        hold.kind, hold.error = kind, error
        now, bound = _now(), self._bounds[kind]
        if _asks(error):
            hold.until = now + (error.wait or 0.0)
        elif now < hold.since + bound:
            pause = min(LONGEST_PAUSE_S[kind], FIRST_PAUSE_S * 2**hold.tries)
            pause = max(pause, error.wait or 0.0)
            hold.until = min(now + pause, hold.since + bound)
        if now < hold.until <= hold.since + bound:
            return
        alone = len(self._failing) < self._fewest and error.away != "gone"
        if alone and (error.wait or 0.0) <= bound:
            error.transient, self._since = False, hold.since
            self._release()
        else:
            self.ended = self._end(hold)

    def _release(self) -> None:
        self._waited = self.waited_s
        self._hold = None
        self._tell("")

    def _end(self, hold: _Hold) -> CallError:
        name = "judge.max_wait_s" if hold.kind == "limit" else "judge.outage_s"
        bound = f"{name} = {self._bounds[hold.kind]:g}"
        past = _now() - hold.since
        if _asks(hold.error):
            wait = hold.error.wait or 0.0
            more = f" more, after {clock(past)}" if past >= 1 else ""
            why = f"it asks to wait {clock(wait)}{more}, until {self._at(wait)}"
        else:
            why = f"nothing went through for {clock(past)}"
        return CallError(hold.error.cause, f"{why} ({bound}): {hold.error}")

    async def _sit(self, hold: _Hold) -> None:
        while self.ended is None and (left := hold.until - _now()) > 0:
            self._tell(self._told(hold, left))
            await asyncio.sleep(min(TICK_S, left))
        if self.ended is not None:
            raise CallError(self.ended.cause, str(self.ended))

    def _told(self, hold: _Hold, left: float) -> str:
        why = str(hold.error)[:MOST_QUOTED]
        if _asks(hold.error):
            return f"waiting as the judge asks, {clock(left)} left, until {self._at(left)}: {why}"
        most = max(0.0, hold.since + self._bounds[hold.kind] - _now())
        name = "the limit of the judge" if hold.kind == "limit" else "the judge, which is away"
        return (
            f"waiting for {name}, {clock(_now() - hold.since)} so far, {clock(most)} left, until "
            f"{self._at(most)} at most: {why}"
        )

    def _at(self, seconds: float) -> str:
        """Return the time of day in so many seconds, with the date where it is another day."""
        now = datetime.fromtimestamp(self._wall()).astimezone()
        then = datetime.fromtimestamp(self._wall() + seconds).astimezone()
        form = "%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M:%S"
        return then.strftime(f"{form} %Z").strip()


def _kind_of(error: CallError) -> Halt | None:
    if not error.transient:
        return None
    if error.cause == LIMITED:
        return "limit"
    return "away" if error.away else None


def _asks(error: CallError) -> bool:
    """Whether the endpoint asks for a wait that is more than one request's."""
    return (error.wait or 0.0) > ALONE_S


def _now() -> float:
    return asyncio.get_running_loop().time()
