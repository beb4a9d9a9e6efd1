"""How fast the judge is asked, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from assay.judge import JudgeSettings
from assay.judge.contract import Chat
from assay.judge.outcome import CallError, Reply
from assay.judge.rubric import load
from assay.judge.session import Bill, Session
from assay.judge.throttle import ENOUGH, Meter, Throttle, wait_s
from tests.unit.judge import virtual_time

LATENCY = 1.0
CHAT: Chat = [{"role": "user", "content": "x" * 400}]


@dataclass
class Fake:
    """An endpoint of `LATENCY`; `refuses` says from the number in flight whether to answer 429."""

    settings: JudgeSettings
    refuses: Callable[[int], bool] = lambda _: False
    wait: float | None = None
    flying: int = 0
    most: int = 0
    asked: list[float] = field(default_factory=list)
    refused: int = 0

    async def ask(self, chat: Chat, schema: object) -> Reply:  # noqa: ARG002
        self.asked.append(asyncio.get_running_loop().time())
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            refused = self.refuses(self.flying)
            await asyncio.sleep(LATENCY)
        finally:
            self.flying -= 1
        if refused:
            self.refused += 1
            raise CallError("rate_limited", "slow down", transient=True, wait=self.wait)
        return Reply(text="", tokens=(100, 20))

    async def close(self) -> None:
        pass


def ask_all(
    count: int, refuses: Callable[[int], bool], wait: float | None = None, **changed: object
) -> tuple[Fake, float]:
    """Ask `count` times, at most 64 together; return the endpoint and the virtual seconds."""
    changed = {"concurrency": 64, "retries": 20, **changed}
    settings = JudgeSettings(endpoint="http://e/v1", model="m", api_key_env="", **changed)  # type: ignore[arg-type]

    async def main() -> Fake:
        session = Session(settings, load("default-en"))
        await session.endpoint.close()
        fake = Fake(settings, refuses, wait)
        session.endpoint = fake  # type: ignore[assignment]
        await asyncio.gather(*(session.reply(CHAT, {}, Bill()) for _ in range(count)))
        return fake

    return virtual_time.run(main())


def test_without_faults_all_places_are_used() -> None:
    fake, seconds = ask_all(1000, lambda _: False)
    assert fake.most == 64
    assert seconds == pytest.approx(1000 * LATENCY / 64, rel=0.05)


def test_flight_is_halved_at_a_rate_limit_and_grows_again() -> None:
    throttle = Throttle(16)
    first = throttle._now
    throttle.slowed(first)
    assert throttle.limit == 8
    throttle.slowed(first)  # sent before the cut: no second cut
    assert throttle.limit == 8
    for _ in range(ENOUGH):
        throttle.passed(throttle._now)  # the cut helped
    assert throttle.limit == 8
    for _ in range(8):
        throttle.passed(throttle._now)
    assert 8.9 < throttle.limit <= 9
    for _ in range(1000):
        throttle.passed(throttle._now)
    assert throttle.limit == 16


@pytest.mark.parametrize("capacity", [6, 20, 50])
def test_flight_settles_near_what_the_endpoint_bears(capacity: int) -> None:
    fake, seconds = ask_all(3000, lambda flying: flying > capacity)
    ideal = 3000 * LATENCY / capacity
    assert seconds < 1.8 * ideal
    assert fake.refused < 0.1 * 3000


@pytest.mark.parametrize("seed", range(8))
def test_a_fixed_share_of_rate_limits_does_not_slow_the_judge_down(seed: int) -> None:
    draw = random.Random(seed)
    fake, seconds = ask_all(2000, lambda _: draw.random() < 0.2, wait=1.0)
    assert seconds < 1.5 * len(fake.asked) * LATENCY / 64


def test_requests_a_minute() -> None:
    fake, seconds = ask_all(100, lambda _: False, requests_per_minute=120)
    assert seconds == pytest.approx(99 * 0.5 + LATENCY)
    starts = fake.asked
    assert all(after - before > 0.49 for before, after in itertools.pairwise(starts))


def test_tokens_a_minute_counts_what_was_really_used() -> None:
    _, seconds = ask_all(500, lambda _: False, tokens_per_minute=12_000)
    assert seconds == pytest.approx(500 * 120 / 12_000 * 60, rel=0.1)


def test_no_limit_waits_for_nothing() -> None:
    async def main() -> None:
        meter = Meter(0)
        for _ in range(1000):
            await meter.take(1e9)

    assert virtual_time.run(main())[1] == 0


def test_a_wait_that_the_endpoint_asks_for_is_obeyed() -> None:
    assert all(7 <= wait_s(attempt, 7.0) <= 7.7 for attempt in range(20))


def test_back_off_grows_and_is_bounded() -> None:
    longest = [max(wait_s(attempt, None) for _ in range(300)) for attempt in (0, 2, 20)]
    for seconds, bound in zip(longest, (0.5, 2, 8), strict=True):
        assert 0.8 * bound < seconds <= bound
