"""An endpoint that is away or at its limit is waited for by all requests together, in virtual time;
what one request is refused while others go through is its own."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from assay.judge import JudgeSettings
from assay.judge.contract import Chat
from assay.judge.outcome import Away, CallError, Reply
from assay.judge.rubric import load
from assay.judge.session import Bill, Session
from assay.judge.standstill import LONGEST_PAUSE_S
from tests.unit.judge import virtual_time

CHAT: Chat = [{"role": "user", "content": "x"}]
LATENCY = 1.0
NOON = 1_764_158_400.0

Fault = Callable[["Fake", float], CallError | None]


@dataclass
class Fake:
    """An endpoint of `LATENCY`; `fault` says from the virtual time what it answers."""

    fault: Fault
    sent: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def ask(self, chat: Chat, _: object) -> Reply:
        now = asyncio.get_running_loop().time()
        self.sent.append(now)
        self.asked.append(chat[0]["content"])
        failure = self.fault(self, now)
        if failure and failure.away == "gone":
            raise failure
        await asyncio.sleep(LATENCY)
        if failure:
            raise failure
        self.answered.append(now + LATENCY)
        return Reply(text=chat[0]["content"], tokens=(1, 1))

    async def close(self) -> None:
        pass


@dataclass
class Outcome:
    fake: Fake
    results: list[Reply | BaseException]
    seconds: float
    told: list[str]
    session: Session

    @property
    def failures(self) -> list[CallError]:
        return [row for row in self.results if isinstance(row, CallError)]


def ask_all(count: int, fault: Fault, **changed: Any) -> Outcome:
    """Ask `count` times, each after the one before it where they are more than fit."""
    asked = {"concurrency": 64, "retries": 2, **changed}
    settings = JudgeSettings(endpoint="http://e/v1", model="m", api_key_env="", **asked)
    told: list[str] = []

    async def main() -> tuple[Fake, list[Reply | BaseException], Session]:
        session = Session(settings, load("default-en"), tell=told.append)
        session.standstill._wall = lambda: NOON + asyncio.get_running_loop().time()
        await session.endpoint.close()
        session.endpoint = fake = Fake(fault)  # type: ignore[assignment]
        chats: list[Chat] = [[{"role": "user", "content": str(number)}] for number in range(count)]
        replies = (session.reply(chat, {}, Bill()) for chat in chats)
        results = await asyncio.gather(*replies, return_exceptions=True)
        return fake, results, session

    (fake, results, session), seconds = virtual_time.run(main())
    return Outcome(fake, results, seconds, told, session)


def away(kind: Away) -> CallError:
    cause = "timeout" if kind == "silent" else "server_error"
    return CallError(cause, f"it is {kind}", transient=True, away=kind)


def limit(wait: float | None) -> CallError:
    return CallError("rate_limited", "HTTP 429: slow down", transient=True, wait=wait)


def between(begin: float, end: float, failure: Callable[[], CallError]) -> Fault:
    return lambda _, now: failure() if begin <= now < end else None


@pytest.mark.parametrize("kind", ["gone", "busy", "silent"])
@pytest.mark.parametrize("concurrency", [1, 4, 64])
@pytest.mark.parametrize("begin", [0.0, 3.5])
def test_an_outage_is_waited_out_whatever_the_retries(
    kind: Away, concurrency: int, begin: float
) -> None:
    done = ask_all(
        300 if concurrency == 64 else 20,
        between(begin, begin + 120, lambda: away(kind)),
        concurrency=concurrency,
        retries=5,
    )
    assert done.failures == []
    probes = sum(begin <= sent < begin + 120 for sent in done.fake.sent)
    assert probes < 6 * concurrency + 120 / LONGEST_PAUSE_S["away"] + 20
    back = min(at for at in done.fake.answered if at > begin + 120)
    assert back <= begin + 120 + LONGEST_PAUSE_S["away"] + 2 * LATENCY
    assert 90 < done.session.standstill.waited_s < 130
    assert done.told[-1] == ""


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("retries", [0, 1, 5])
def test_so_is_one_with_few_requests(count: int, retries: int) -> None:
    done = ask_all(count, between(0, 120, lambda: away("gone")), retries=retries)
    assert done.failures == []


def test_an_outage_ends_at_its_bound() -> None:
    done = ask_all(300, between(2.5, 1e9, lambda: away("gone")), outage_s=100.0)
    assert len(done.failures) == 300 - len(done.fake.answered)
    assert {failure.cause for failure in done.failures} == {"server_error"}
    assert re.search(
        r"nothing went through for 1:4\d \(judge.outage_s = 100\): it is gone",
        str(done.failures[0]),
    ) or "nothing went through for 1:40" in str(done.failures[0])
    assert 100 <= done.seconds <= 125
    assert done.session.ended
    assert sum(sent > 2.5 for sent in done.fake.sent) < 64 + 100 / LONGEST_PAUSE_S["away"] + 20


@pytest.mark.parametrize("kind", ["gone", "busy", "silent"])
def test_it_ends_so_where_one_is_asked_at_a_time(kind: Away) -> None:
    done = ask_all(20, lambda *_: away(kind), outage_s=100.0, concurrency=1, retries=5)
    assert len(done.failures) == 20
    assert done.session.ended
    assert 100 <= done.seconds <= 140
    assert "nothing went through for 1:4" in str(done.failures[-1])


def test_without_a_bound_there_is_no_wait() -> None:
    done = ask_all(5, between(0, 1e9, lambda: away("gone")), outage_s=0.0, retries=1)
    assert [str(failure) for failure in done.failures] == ["it is gone"] * 5
    assert done.seconds <= 1
    assert len(done.fake.sent) == 10
    assert done.told == []


def test_what_one_request_is_refused_while_others_pass_is_its_own() -> None:
    turns = iter(range(10_000))

    def every_fifth(_: Fake, __: float) -> CallError | None:
        return away("busy") if next(turns) % 5 == 0 else None

    done = ask_all(500, every_fifth, retries=1)
    assert done.told == []
    assert len(done.fake.sent) <= 600
    assert 5 < len(done.failures) < 50  # twice in a row


@pytest.mark.parametrize("kind", ["busy", "silent"])
def test_one_request_that_never_passes_does_not_end_the_others_work(kind: Away) -> None:
    done = ask_all(1, lambda *_: away(kind), retries=2, outage_s=60.0)
    assert len(done.failures) == 1
    assert len(done.fake.sent) == 3
    assert done.session.ended is None
    done = ask_all(2, lambda *_: limit(20.0))
    assert {row.cause for row in done.failures} == {"rate_limited"}
    assert 570 <= done.seconds <= 630
    assert done.session.ended is None


POISONED = {
    "first": {"0", "1", "2"},
    "between": {"10", "90", "170"},
    "last": {"197", "198", "199"},
    "one in twenty": {str(number) for number in range(0, 200, 20)},
}


@pytest.mark.parametrize("where", POISONED)
@pytest.mark.parametrize("concurrency", [1, 4, 16, 64])
@pytest.mark.parametrize("kind", ["busy", "silent"])
def test_few_that_never_pass_are_no_outage(kind: Away, concurrency: int, where: str) -> None:
    bad = POISONED[where]
    done = ask_all(
        200,
        lambda fake, _: away(kind) if fake.asked[-1] in bad else None,
        concurrency=concurrency,
        retries=5,
    )
    assert len(done.failures) == len(bad)
    assert {str(row) for row in done.failures} == {f"it is {kind}"}
    assert done.session.ended is None
    assert max(done.fake.answered) <= 200 / concurrency * LATENCY + 30 * len(bad)
    assert len(done.fake.sent) <= 200 + 8 * len(bad)


@pytest.mark.parametrize("wait", [None, 0.0, 2.0, 20.0])
def test_few_that_are_always_at_a_limit_do_not_end_the_others_work(wait: float | None) -> None:
    def refuses(fake: Fake, _: float) -> CallError | None:
        return limit(wait) if fake.asked[-1] in ("50", "51", "199") else None

    done = ask_all(200, refuses, concurrency=16)
    assert (len(done.failures), done.session.ended) == (3, None)


@pytest.mark.parametrize("wait", [None, 0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("concurrency", [16, 64])
def test_a_share_at_a_limit_holds_nobody_else(wait: float | None, concurrency: int) -> None:
    chance = random.Random(3)
    done = ask_all(
        1000,
        lambda *_: limit(wait) if chance.random() < 0.1 else None,
        concurrency=concurrency,
        retries=5,
    )
    assert done.failures == []
    assert done.told == []
    assert done.seconds <= 5 * 1000 / concurrency * LATENCY


@pytest.mark.parametrize(("share", "wait"), [(0.05, 30.0), (0.2, 20.0), (0.5, 10.0), (0.02, 60.0)])
@pytest.mark.parametrize("concurrency", [16, 64])
def test_nor_does_a_share_that_is_told_a_long_wait(
    share: float, wait: float, concurrency: int
) -> None:
    chance = random.Random(1)
    done = ask_all(
        600,
        lambda *_: limit(wait) if chance.random() < share else None,
        concurrency=concurrency,
        retries=5,
    )
    assert done.failures == []
    assert done.session.standstill.waited_s < 100
    assert done.seconds < 400


def test_one_that_is_told_too_long_a_wait_is_given_up_alone() -> None:
    done = ask_all(200, lambda fake, _: limit(3600.0) if fake.asked[-1] == "50" else None)
    assert (len(done.failures), done.session.ended) == (1, None)
    assert done.seconds < 60


@pytest.mark.parametrize(("most", "window"), [(100, 10.0), (20, 4.0), (60, 60.0)])
def test_a_window_s_short_waits_are_no_retries(most: int, window: float) -> None:
    def so_many(fake: Fake, now: float) -> CallError | None:
        begun = [at for at in fake.answered if at - LATENCY >= now - now % window]
        return None if len(begun) < most else limit(window - now % window)

    assert ask_all(300, so_many, retries=5).failures == []


def test_a_wait_of_the_endpoint_holds_all_requests_and_none_of_their_retries() -> None:
    done = ask_all(300, between(3.5, 33.5, lambda: limit(30.0)), retries=0)
    assert done.failures == []
    during = [sent for sent in done.fake.sent if 3.5 <= sent < 34.5]
    assert len(during) <= 64
    assert not any(4.5 < sent < 33 for sent in done.fake.sent)


@pytest.mark.parametrize("wait", [3600.0, 86_400.0, 1e9])
def test_a_wait_beyond_the_bound_ends_it_at_once(wait: float) -> None:
    done = ask_all(300, between(3.5, 1e12, lambda: limit(wait)))
    assert done.seconds < 6
    assert {failure.cause for failure in done.failures} == {"rate_limited"}
    assert len(done.fake.answered) == 300 - len(done.failures)
    told = str(done.failures[-1])
    assert "it asks to wait " in told
    assert "(judge.max_wait_s = 600): HTTP 429: slow down" in told
    assert len(done.fake.sent) <= len(done.fake.answered) + 64


def test_it_names_the_time() -> None:
    done = ask_all(1, lambda *_: limit(86_400.0))
    assert re.search(
        r"it asks to wait 24:00:00, until 2025-11-27 \d\d:00:0\d", str(done.failures[0])
    )


def test_waits_that_are_asked_for_again_and_again_end_at_the_bound() -> None:
    done = ask_all(100, lambda *_: limit(60.0))
    assert 500 <= done.seconds <= 610
    assert len(done.fake.sent) <= 64 + 10
    assert "it asks to wait 1:00 more, after 9:" in str(done.failures[0])


def test_a_limit_that_says_nothing_of_a_wait_is_waited_for_too() -> None:
    done = ask_all(300, between(3.5, 63.5, lambda: limit(None)))
    assert done.failures == []
    done = ask_all(300, lambda *_: limit(None), max_wait_s=100.0)
    assert {failure.cause for failure in done.failures} == {"rate_limited"}
    assert 100 <= done.seconds <= 110


def test_the_longest_of_several_waits_counts() -> None:
    waits = iter([*range(2, 66), *[86_400] * 1000])
    done = ask_all(300, lambda *_: limit(float(next(waits))))
    assert 64 <= done.seconds <= 70
    assert done.session.ended


def test_few_requests_a_minute_are_enough_for_all() -> None:
    def three_a_minute(fake: Fake, now: float) -> CallError | None:
        minute = [at for at in fake.answered if at - LATENCY >= now - now % 60]
        return None if len(minute) < 3 else limit(60 - now % 60 + 1)

    done = ask_all(60, three_a_minute, retries=5)
    assert done.failures == []


def test_each_second_of_a_wait_is_told() -> None:
    done = ask_all(64, between(0, 10, lambda: limit(10.0)))
    assert len(done.told) == 11
    lefts = [
        re.search(r"as the judge asks, (0:\d\d) left, until ", line) for line in done.told[:10]
    ]
    assert [left and left[1] for left in lefts] == [f"0:{n:02}" for n in range(10, 0, -1)]
    assert done.told[10] == ""
    done = ask_all(64, between(0, 10, lambda: away("gone")))
    assert "waiting for the judge, which is away, 0:00 so far, 30:00 left, until" in done.told[0]
    assert "at most: it is gone" in done.told[0]


def test_a_wait_can_be_canceled() -> None:
    async def main() -> None:
        settings = JudgeSettings(endpoint="http://e/v1", model="m", api_key_env="")
        session = Session(settings, load("default-en"))
        await session.endpoint.close()
        session.endpoint = Fake(lambda *_: limit(500.0))  # type: ignore[assignment]
        await asyncio.wait_for(session.reply(CHAT, {}, Bill()), timeout=7)

    with pytest.raises(TimeoutError):
        virtual_time.run(main())
