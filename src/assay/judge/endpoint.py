"""One request to the judge's endpoint, answered by text or by a cause."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay.judge import dialect as dialects
from assay.judge import learned, refusal
from assay.judge.access import Access
from assay.judge.body import body_of
from assay.judge.causes import CONTENT_FILTER, OVERFLOW, TRUNCATED, UNPARSED, cause_of
from assay.judge.connection import Answer, Connections
from assay.judge.contract import Chat
from assay.judge.dialect import Dialect
from assay.judge.outcome import (
    CallError,
    Reply,
    call_error,
    refusal_in,
    reply_in,
)
from assay.judge.refusal import Refusal
from assay.judge.settings import JudgeSettings
from assay.judge.wordings import unquoted

# a refusal comes at once, a reply does not: so long the first request to an endpoint is alone
ALONE_S = 0.25
HINT_S = 5.0


class Endpoint:
    """An OpenAI-compatible endpoint that is asked for replies by JSON schema, or as it can be."""

    def __init__(self, settings: JudgeSettings, dialect: Dialect | None = None) -> None:
        self.settings = settings
        self.wanted = learned.wanted(settings)
        self.dialect = dialect or self.wanted
        self._kept: Dialect | None = dialect
        self._access = Access.of(settings)
        self._address = f"{self._access.url}/chat/completions"
        self._connections = Connections(settings, self._access)
        self._leading = False
        self._open = asyncio.Event()

    @property
    def url(self) -> str:
        """Its base URL."""
        return self._access.url

    @property
    def known(self) -> bool:
        """Whether it is known how it wants to be asked."""
        return self._kept is not None

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the endpoint refused of what a verdict depends on."""
        return dialects.dropped(self.dialect, self.wanted)

    async def ask(self, chat: Chat, schema: Mapping[str, Any]) -> Reply:
        """Send one request for a reply of this JSON schema, and return it. Raises CallError.

        The first request to an endpoint that is not known goes alone for a moment: what it is
        refused, the others do not ask for."""
        if self._kept or self._open.is_set():
            return await self._ask(chat, schema)
        if self._leading:
            await self._open.wait()
            return await self._ask(chat, schema)
        self._leading = True
        alone = asyncio.get_running_loop().call_later(ALONE_S, self._open.set)
        try:
            return await self._ask(chat, schema, alone)
        finally:
            alone.cancel()
            self._open.set()

    def heard(
        self, status: int, content: bytes, asked: Dialect, chat: Chat, schema: Mapping[str, Any]
    ) -> Reply | None:
        """Return the reply in an answer that came by batch to a request in the dialect `asked`;
        None where that is refused: the next request leaves out more. Raises CallError."""
        answer = Answer(status=status, headers={}, content=self._access.without(content))
        parsed = body_of(answer.content)
        refused = self._refusal(answer, parsed)
        if refused is None:
            return self._reply(answer, parsed, asked)
        lower = self._lower(asked, refused, self.body(asked, chat, schema))
        if lower is None:
            raise call_error(refused, {})
        self.dialect = self.dialect.joined(lower)
        return None

    async def call(
        self,
        method: str,
        address: str,
        body: Mapping[str, Any] | None = None,
        file: bytes = b"",
        timeout_s: float = 0.0,
    ) -> bytes:
        """Return what the endpoint answers to a request for anything but a reply, which may send a
        `file` along; `timeout_s` is for its transport, 0 for the usual one. Raises CallError."""
        answer = await self._connections.send(method, address, body, file, timeout_s)
        if answer.failed:
            raise call_error(self._error(answer), answer.headers)
        return answer.content

    async def models(self) -> list[str]:
        """Return the ids of the models served, [] where the endpoint does not list them: a hint."""
        try:
            async with asyncio.timeout(HINT_S):
                answer = await self._connections.send("get", f"{self._access.url}/models")
        except (CallError, TimeoutError):
            return []
        return [] if answer.failed else _ids(body_of(answer.content))

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def _ask(
        self, chat: Chat, schema: Mapping[str, Any], alone: asyncio.TimerHandle | None = None
    ) -> Reply:
        tried = self.dialect
        while True:
            body = self.body(tried, chat, schema)
            answer = await self._connections.send("post", self._address, body)
            parsed = body_of(answer.content)
            refused = self._refusal(answer, parsed)
            if refused is None:
                return self._reply(answer, parsed, tried)
            lower = self._lower(tried, refused, body)
            if lower is None:
                raise call_error(refused, answer.headers)
            tried = lower
            if alone:
                alone.cancel()  # the others wait for what comes of it

    def _refusal(self, answer: Answer, parsed: Any) -> Refusal | None:
        return self._error(answer) if answer.failed else refusal_in(parsed, self._access.hide)

    def _error(self, answer: Answer) -> Refusal:
        return refusal.read(answer.status, answer.content, answer.headers, self._access.hide)

    def _reply(self, answer: Answer, parsed: Any, accepted: Dialect) -> Reply:
        self._learn(accepted)
        return self.read(parsed, answer.content).without(self._access.bare)

    def read(self, body: Any, content: bytes) -> Reply:
        """Return the reply in a body without an error, which was `content`. Raises CallError."""
        return reply_in(body, content, self._access.hide)

    def _lower(self, tried: Dialect, refused: Refusal, body: Mapping[str, Any]) -> Dialect | None:
        """Return how to ask after a refusal: as others have learned meanwhile, or by a rung less;
        None where the refusal is about none of it."""
        if cause_of(refused) in (CONTENT_FILTER, OVERFLOW, UNPARSED, TRUNCATED):
            return None
        met = tried.joined(self.dialect)
        turns = [turn["content"] for turn in body["messages"] if turn["role"] != "system"]
        asked = " ".join(" ".join(turns).split())
        own = replace(refused, text=unquoted(refused.text, asked))
        return met if met != tried else tried.without(own, body)

    def _learn(self, accepted: Dialect) -> None:
        if accepted == self.dialect == self._kept:
            return
        self.dialect = self.dialect.joined(accepted)
        if self.dialect != self._kept:
            self._kept = self.dialect
            learned.remember(self.settings, self.dialect)

    def body(self, dialect: Dialect, chat: Chat, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a request for a reply of this JSON schema."""
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": dialects.messages(dialect, chat),
        }
        if dialect.limit:
            body[dialect.limit] = self.settings.max_tokens
        if dialect.temperature:
            body["temperature"] = self.settings.temperature
        if dialect.stream:
            body["stream"] = True
            body |= {"stream_options": {"include_usage": True}} if dialect.usage else {}
        if not dialect.thinking:
            body["enable_thinking"] = False
        return body | dialects.response_format(dialect, schema) | dict(self.settings.extra_body)


def _ids(listed: Any) -> list[str]:
    """Return the names in a list of models, whatever is around them."""
    if isinstance(listed, Mapping):
        listed = listed.get("data") or listed.get("models") or listed.get("value")
    rows = listed if isinstance(listed, list) else []
    names = [row.get("id") or row.get("name") if isinstance(row, Mapping) else row for row in rows]
    return [name for name in names if isinstance(name, str)]
