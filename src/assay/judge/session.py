"""A sitting of one judge: its endpoint asked at a pace that it bears, and asked again where a
failure may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from assay.judge import contract
from assay.judge.contract import Chat
from assay.judge.cost import Usage, tokens_of, usage_of
from assay.judge.dialect import Dialect
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError, Reply
from assay.judge.purse import Expected, Purse
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.judge.throttle import Meter, Throttle, wait_s
from assay.records import Case

ONCE = 1  # so often is asked again what an endpoint may have been paid for


@dataclass
class Bill:
    """What was asked for and paid for so far; tokens that the endpoint did not count are
    `estimated`."""

    attempts: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False

    def add(self, usage: Usage) -> None:
        """Add what one request took."""
        self.prompt_tokens += usage.prompt
        self.output_tokens += usage.output
        self.estimated |= usage.estimated


class Session:
    """One judge at work, inside one event loop: `async with Session(settings, rubric) as s`. What
    its requests take is paid from the `purse`, where there is one."""

    def __init__(
        self,
        settings: JudgeSettings,
        rubric: Rubric,
        dialect: Dialect | None = None,
        purse: Purse | None = None,
    ) -> None:
        self.settings = settings
        self.rubric = rubric
        self.parts = rubric.parts() if settings.one_call_each else (rubric,)
        self.endpoint = Endpoint(settings, dialect)
        self.throttle = Throttle(settings.concurrency)
        self.bill = Bill()
        self.purse = purse
        self._replies = 0
        self._requests = Meter(settings.requests_per_minute)
        self._tokens = Meter(settings.tokens_per_minute)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.endpoint.close()

    async def reply(self, chat: Chat, form: Mapping[str, Any], bill: Bill) -> Reply:
        """Return the judge's reply of the JSON schema `form`, after as many retries as are
        allowed. Raises CallError."""
        attempt, answered = 0, 0
        while True:
            try:
                return await self._request(chat, form, bill)
            except CallError as error:
                answered += error.answered
                if not error.transient or attempt == self.settings.retries or answered > ONCE:
                    raise
                await asyncio.sleep(wait_s(attempt, error.wait))
            attempt += 1

    async def _request(self, chat: Chat, form: Mapping[str, Any], bill: Bill) -> Reply:
        async with self.throttle.slot() as epoch:
            expected = self._expected_tokens(chat)
            await self._requests.take(1)
            await self._tokens.take(expected)
            if self.purse:
                self.purse.check()
            bill.attempts += 1
            self.bill.attempts += 1
            try:
                async with asyncio.timeout(self.settings.timeout_s):
                    reply = await self.endpoint.ask(chat, form)
            except TimeoutError:
                raise CallError("timeout", "it did not answer in time", transient=True) from None
            except CallError as error:
                self._pay(chat, error, bill, cut=error.cause == "truncated")
                if error.cause == "rate_limited" or error.wait is not None:
                    self.throttle.slowed(epoch)
                raise
            self.throttle.passed(epoch)
        usage = self._pay(chat, reply, bill)
        self._replies += 1
        self._tokens.correct(usage.prompt + usage.output - expected)
        return reply

    def _pay(
        self, chat: Chat, brought: Reply | CallError, bill: Bill, *, cut: bool = False
    ) -> Usage:
        most = self.settings.max_tokens if cut else 0
        usage = usage_of(brought.tokens, prompt_tokens(chat), brought.written, most)
        bill.add(usage)
        self.bill.add(usage)
        if self.purse:
            self.purse.pay(usage)
        return usage

    def expected(self, case: Case) -> Expected:
        """Return what a verdict on this case is likely to need."""
        requests = len(self.parts) * self.settings.repeats
        prompt = prompt_tokens(contract.ask_for(self.rubric, *case))
        return Expected(requests=requests, prompt=requests * prompt)

    def _expected_tokens(self, chat: Chat) -> int:
        if self._replies:
            return (self.bill.prompt_tokens + self.bill.output_tokens) // self._replies
        return prompt_tokens(chat) + self.settings.max_tokens


def prompt_tokens(chat: Chat) -> int:
    """Return about how many tokens the messages of a prompt take."""
    return sum(tokens_of(len(message["content"].encode())) for message in chat)
