"""A sitting of one judge: its endpoint asked at a pace that it bears, and asked again where a
failure may pass. A model under test behind an endpoint is asked by the same Caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.judge import contract
from assay.judge.batch.batches import Batches
from assay.judge.causes import LIMITED
from assay.judge.contract import Chat
from assay.judge.cost import Usage, tokens_of, usage_of
from assay.judge.dialect import Dialect
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError, Reply, no_answer_in_time
from assay.judge.purse import Expected, Purse
from assay.judge.retries import ask_again
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.judge.standstill import Asking, Standstill, to_nobody
from assay.judge.throttle import Epoch, Meter, Throttle
from assay.records import Case, Verdict

ONCE = 1  # so often is asked again what an endpoint may have been paid for


@dataclass
class Bill:
    """What was asked for and paid for since it was `begun`, for the verdict of this `key`; tokens
    that the endpoint did not count are `estimated`, and those of the batch have its price."""

    key: str = ""
    attempts: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    batch_prompt_tokens: int = 0
    batch_output_tokens: int = 0
    estimated: bool = False
    begun: float = field(default_factory=time.monotonic)

    def add(self, usage: Usage) -> None:
        """Add what one request took."""
        self.prompt_tokens += usage.prompt
        self.output_tokens += usage.output
        self.batch_prompt_tokens += usage.prompt if usage.by_batch else 0
        self.batch_output_tokens += usage.output if usage.by_batch else 0
        self.estimated |= usage.estimated

    def verdict(
        self,
        case: Case,
        *,
        values: Mapping[str, float],
        unscored: Mapping[str, str],
        spread: Mapping[str, float],
        commentary: str,
    ) -> Verdict:
        """Return what was said of a case as the verdict that this has paid for."""
        return Verdict(
            id=case[0].id,
            key=self.key,
            values=values,
            unscored=unscored,
            spread=spread,
            commentary=commentary,
            attempts=self.attempts,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            batch_prompt_tokens=self.batch_prompt_tokens,
            batch_output_tokens=self.batch_output_tokens,
            estimated=self.estimated,
            seconds=round(time.monotonic() - self.begun, 3),
        )


class Caller:
    """Whoever asks one `endpoint`, inside one event loop: `async with Caller(endpoint) as caller`.
    What its requests take is paid from the `purse`, where there is one, and what it waits for is
    said to `tell`, "" when it goes on."""

    def __init__(
        self,
        endpoint: Endpoint,
        purse: Purse | None = None,
        tell: Callable[[str], None] = to_nobody,
    ) -> None:
        self.settings = settings = endpoint.settings
        self.endpoint = endpoint
        self.throttle = Throttle(settings.concurrency)
        self.standstill = Standstill(settings, tell)
        self.bill = Bill()
        self.batches: Batches | None = None
        self.purse = purse
        self._replies = 0
        self._passed: tuple[Chat, Mapping[str, Any]] | None = None  # the last that was answered
        self._requests = Meter(settings.requests_per_minute)
        self._tokens = Meter(settings.tokens_per_minute)

    @property
    def ended(self) -> CallError | None:
        """Why nothing more is asked: the endpoint was waited for long enough."""
        return self.standstill.ended

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.batches:
            await self.batches.close()
        await self.endpoint.close()

    def by_batch(self, log: Path, tell: Callable[[str], None]) -> None:
        """Have what is asked for from now on go by batch, for the verdicts of this `log`; `tell` is
        told how the batches stand."""
        self.batches = Batches(self.endpoint, log, tell)

    async def reply(self, chat: Chat, form: Mapping[str, Any], bill: Bill) -> Reply:
        """Return the reply of the JSON schema `form`, after as many retries as are
        allowed; what the endpoint as a whole has to be waited for is none of them. Raises
        CallError."""
        ask = partial(self._request, chat, form, bill)
        return await ask_again(ask, self.standstill, self.settings.retries, most_answered=ONCE)

    async def _request(
        self, chat: Chat, form: Mapping[str, Any], bill: Bill, asking: Asking
    ) -> Reply:
        directly = partial(self._directly, chat, form, bill, asking)
        if self.batches is None:
            return await directly()
        if self.purse:
            self.purse.check()
        came = partial(self._came_by_batch, chat, bill)
        return await self.batches.ask(chat, form, bill.key, directly, came)

    def _came_by_batch(self, chat: Chat, bill: Bill, brought: Reply | CallError) -> None:
        bill.attempts += 1
        self._pay(chat, brought, bill, by_batch=True)

    async def _directly(
        self, chat: Chat, form: Mapping[str, Any], bill: Bill, asking: Asking
    ) -> Reply:
        async with self.throttle.slot() as epoch, self._turn(chat) as (expected, finds_out):
            if finds_out and self._passed and self.standstill.doubted:
                await self._ask_what_passed(*self._passed, bill, asking, epoch)
            reply, usage = await self._sent(chat, form, bill, asking, epoch)
        self._passed = chat, form
        self._tokens.correct(usage.prompt + usage.output - expected)
        return reply

    async def _ask_what_passed(
        self, chat: Chat, form: Mapping[str, Any], bill: Bill, asking: Asking, epoch: Epoch
    ) -> None:
        """Ask what has passed before: whether the endpoint fails, or only what is asked of it.
        Raises CallError where it is the endpoint."""
        try:
            _, usage = await self._sent(chat, form, bill, asking, epoch)
        except CallError as error:
            if error.transient:
                raise
        else:
            self._requests.correct(1)
            self._tokens.correct(usage.prompt + usage.output)

    async def _sent(
        self, chat: Chat, form: Mapping[str, Any], bill: Bill, asking: Asking, epoch: Epoch
    ) -> tuple[Reply, Usage]:
        if self.purse:
            self.purse.check()
        sent = self.standstill.sent(asking)
        bill.attempts += 1
        self.bill.attempts += 1
        try:
            reply = await self._ask(chat, form)
        except CallError as error:
            self._pay(chat, error, bill)
            if error.cause == LIMITED or error.wait is not None:
                self.throttle.slowed(epoch)
            error.held = self.standstill.failed(error, sent, asking, self.throttle.flying)
            raise
        self.throttle.passed(epoch)
        if self.standstill.passed(sent) == "limit":
            self.throttle.restart()
        self._replies += 1
        return reply, self._pay(chat, reply, bill)

    async def _ask(self, chat: Chat, form: Mapping[str, Any]) -> Reply:
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await self.endpoint.ask(chat, form)
        except TimeoutError:
            raise no_answer_in_time() from None

    @asynccontextmanager
    async def _turn(self, chat: Chat) -> AsyncIterator[tuple[int, bool]]:
        """Hold the right to ask now, which the limits a minute and the endpoint itself give; the
        value are the tokens that were counted for it, and whether it finds out for the others."""
        while True:
            async with self.standstill.turn() as finds_out:
                expected = self._expected_tokens(chat)
                await self._requests.take(1)
                await self._tokens.take(expected)
                if finds_out or not self.standstill.held:
                    yield expected, finds_out
                    return
            # meanwhile the endpoint has come to a standstill
            self._requests.correct(-1)
            self._tokens.correct(-expected)

    def _pay(
        self,
        chat: Chat,
        brought: Reply | CallError,
        bill: Bill,
        *,
        by_batch: bool = False,
    ) -> Usage:
        cut = isinstance(brought, CallError) and brought.cause == "truncated"
        most = self.settings.max_tokens if cut else 0
        usage = usage_of(brought.tokens, prompt_tokens(chat), brought.written, most)
        if by_batch:
            usage = replace(usage, by_batch=True)
        else:  # how much a reply takes a minute, a batch does not say
            self.bill.add(usage)
        bill.add(usage)
        if self.purse:
            self.purse.pay(usage)
        return usage

    def _expected_tokens(self, chat: Chat) -> int:
        if self._replies:
            return (self.bill.prompt_tokens + self.bill.output_tokens) // self._replies
        return prompt_tokens(chat) + self.settings.max_tokens


class Session(Caller):
    """One judge at work, with its `rubric`; the rest is as of a Caller."""

    def __init__(
        self,
        settings: JudgeSettings,
        rubric: Rubric,
        dialect: Dialect | None = None,
        purse: Purse | None = None,
        tell: Callable[[str], None] = to_nobody,
    ) -> None:
        super().__init__(Endpoint(settings, dialect), purse, tell)
        self.rubric = rubric
        self.parts = rubric.parts() if settings.one_call_each else (rubric,)

    def expected(self, case: Case) -> Expected:
        """Return what a verdict on this case is likely to need."""
        requests = len(self.parts) * self.settings.repeats
        prompt = prompt_tokens(contract.ask_for(self.rubric, *case))
        return Expected(requests=requests, prompt=requests * prompt)


def prompt_tokens(chat: Chat) -> int:
    """Return about how many tokens the messages of a prompt take."""
    return sum(tokens_of(len(message["content"].encode())) for message in chat)
