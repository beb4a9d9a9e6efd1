"""A sitting of one judge: its endpoint asked at a pace that it bears, and asked again where a
failure may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.judge import contract
from assay.judge.batch.batches import Batches
from assay.judge.bill import Bill
from assay.judge.contract import Chat
from assay.judge.dialect import Dialect
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError, Reply
from assay.judge.rubric import Rubric
from assay.judge.settings import JudgeSettings
from assay.judge.throttle import Meter, Throttle, wait_s
from assay.records import Case

ONCE = 1  # so often is asked again what an endpoint may have been paid for


class Session:
    """One judge at work, inside one event loop: `async with Session(settings, rubric) as s`."""

    def __init__(
        self, settings: JudgeSettings, rubric: Rubric, dialect: Dialect | None = None
    ) -> None:
        self.settings = settings
        self.rubric = rubric
        self.parts = rubric.parts() if settings.one_call_each else (rubric,)
        self.endpoint = Endpoint(settings, dialect)
        self.throttle = Throttle(settings.concurrency)
        self.bill = Bill()
        self.batches: Batches | None = None
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
        if self.batches:
            await self.batches.close()
        await self.endpoint.close()

    def by_batch(self, log: Path, tell: Callable[[str], None]) -> None:
        """Have what is asked for from now on go by batch, for the verdicts of this `log`; `tell` is
        told how the batches stand."""
        self.batches = Batches(self.endpoint, log, tell)

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
        directly = partial(self._directly, chat, form, bill)
        if self.batches:
            return await self.batches.ask(chat, form, bill, directly)
        return await directly()

    async def _directly(self, chat: Chat, form: Mapping[str, Any], bill: Bill) -> Reply:
        async with self.throttle.slot() as epoch:
            expected = self._expected_tokens(chat)
            await self._requests.take(1)
            await self._tokens.take(expected)
            bill.attempts += 1
            self.bill.attempts += 1
            try:
                async with asyncio.timeout(self.settings.timeout_s):
                    reply = await self.endpoint.ask(chat, form)
            except TimeoutError:
                raise CallError("timeout", "it did not answer in time", transient=True) from None
            except CallError as error:
                self._pay(error.tokens, bill)
                if error.cause == "rate_limited" or error.wait is not None:
                    self.throttle.slowed(epoch)
                raise
            self.throttle.passed(epoch)
        self._pay(reply.tokens, bill)
        self._replies += 1
        self._tokens.correct(sum(reply.tokens) - expected)
        return reply

    def _pay(self, tokens: tuple[int, int], bill: Bill) -> None:
        bill.add(tokens)
        self.bill.add(tokens)

    def expected_tokens(self, case: Case) -> tuple[int, int]:
        """Return the prompt and output tokens that the requests for this case may take."""
        calls = len(self.parts) * self.settings.repeats
        prompt = prompt_tokens(contract.ask_for(self.rubric, *case))
        return calls * prompt, calls * self.settings.max_tokens

    def _expected_tokens(self, chat: Chat) -> int:
        if self._replies:
            return (self.bill.prompt_tokens + self.bill.output_tokens) // self._replies
        return prompt_tokens(chat) + self.settings.max_tokens


def prompt_tokens(chat: Chat) -> int:
    """Return about how many tokens the messages of a prompt take."""
    return sum(tokens_in(message["content"]) for message in chat)


def tokens_in(text: str) -> int:
    """Return about how many tokens a text takes, rather too many: three bytes of UTF-8 make one,
    as for Chinese; English takes fewer."""
    return len(text.encode()) // 3 + 4
