"""One request to the judge's endpoint: sent by the openai SDK, answered by text or by a cause."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assay.judge import dialect as dialects
from assay.judge import learned, refusal
from assay.judge.access import Access
from assay.judge.body import body_of
from assay.judge.causes import CONTENT_FILTER, OVERFLOW, TRUNCATED, UNPARSED, cause_of
from assay.judge.connection import client, options, with_file
from assay.judge.contract import Chat
from assay.judge.dialect import Dialect
from assay.judge.outcome import (
    CallError,
    Reply,
    call_error,
    no_answer,
    refusal_in,
    reply_in,
)
from assay.judge.refusal import MOST_TOLD, Hide, Refusal
from assay.judge.settings import JudgeSettings
from assay.judge.wordings import unquoted

if TYPE_CHECKING:
    import httpx2

# a refusal comes at once, a reply does not: so long the first request to an endpoint is alone
ALONE_S = 0.25
HINT_S = 5.0
_LEAST_ERROR = 400


class Endpoint:
    """An OpenAI-compatible endpoint that is asked for replies by JSON schema, or as it can be."""

    def __init__(self, settings: JudgeSettings, dialect: Dialect | None = None) -> None:
        self.settings = settings
        self.wanted = learned.wanted(settings)
        self.dialect = dialect or self.wanted
        self._kept: Dialect | None = dialect
        self._access = Access.of(settings)
        # whole: the SDK would put it together again for each request
        self._address = f"{self._access.url}/chat/completions"
        self._client = client(settings, self._access)
        self._options = options(self._access)
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
        content = self._access.without(content)
        parsed, hide = body_of(content), self._access.hide
        refused = refusal.read(status, content, {}, hide) if status >= _LEAST_ERROR else None
        refused = refused or refusal_in(parsed, hide)
        if refused is None:
            self._learn(asked)
            reply = reply_in(parsed, content, hide)
            return replace(reply, text=self._access.bare(reply.text))
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
        answer = await self._send(method, address, body, file, timeout_s)
        if isinstance(answer, tuple):
            raise call_error(*answer)
        return self._access.without(answer.content)

    async def models(self) -> list[str]:
        """Return the ids of the models served, [] where the endpoint does not list them: a hint."""
        try:
            async with asyncio.timeout(HINT_S):
                answer = await self._send("get", f"{self._access.url}/models", None)
        except (CallError, TimeoutError):
            return []
        return [] if isinstance(answer, tuple) else _ids(body_of(answer.content))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(
        self, chat: Chat, schema: Mapping[str, Any], alone: asyncio.TimerHandle | None = None
    ) -> Reply:
        tried = self.dialect
        refused: Refusal | None
        while True:
            body = self.body(tried, chat, schema)
            answer = await self._send("post", self._address, body)
            if isinstance(answer, tuple):
                (refused, headers), parsed, content = answer, None, b""
            else:
                content, headers = self._access.without(answer.content), answer.headers
                parsed = body_of(content)
                refused = refusal_in(parsed, self._access.hide)
            if refused is None:
                self._learn(tried)
                reply = self.read(parsed, content, self._access.hide)
                return replace(reply, text=self._access.bare(reply.text))
            lower = self._lower(tried, refused, body)
            if lower is None:
                raise call_error(refused, headers)
            tried = lower
            if alone:
                alone.cancel()  # the others wait for what comes of it

    def _lower(self, tried: Dialect, refused: Refusal, body: Mapping[str, Any]) -> Dialect | None:
        """Return how to ask after a refusal: as others have learned meanwhile, or by a rung less;
        None where the refusal is about none of it."""
        if cause_of(refused) in (CONTENT_FILTER, OVERFLOW, UNPARSED, TRUNCATED):
            return None
        met = tried.joined(self.dialect)
        asked = " ".join(" ".join(turn["content"] for turn in body["messages"][1:]).split())
        own = replace(refused, text=unquoted(refused.text, asked))
        return met if met != tried else tried.without(own, body)

    def _learn(self, accepted: Dialect) -> None:
        self.dialect = self.dialect.joined(accepted)
        if self.dialect != self._kept:
            self._kept = self.dialect
            learned.remember(self.settings, self.dialect)

    def read(self, body: Any, content: bytes, hide: Hide) -> Reply:
        """Return the reply in a body without an error, which was `content`. Raises CallError."""
        return reply_in(body, content, hide)

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

    async def _send(
        self,
        method: str,
        address: str,
        body: Mapping[str, Any] | None,
        file: bytes = b"",
        timeout_s: float = 0.0,
    ) -> httpx2.Response | tuple[Refusal, Mapping[str, str]]:
        """Return the answer of HTTP 200, or the error and its headers. Raises CallError where
        neither came."""
        import httpx2
        import openai

        how = with_file(self._options, file, timeout_s) if file or timeout_s else self._options
        files = {"file": ("requests.jsonl", file, "application/jsonl")} if file else None
        try:
            with _readable():
                # not chat.completions.create: its checks of the body cost as much again
                if method == "get":
                    return await self._client.get(address, cast_to=httpx2.Response, options=how)
                if method == "delete":
                    return await self._client.delete(address, cast_to=httpx2.Response, options=how)
                return await self._client.post(
                    address, body=body, files=files, cast_to=httpx2.Response, options=how
                )
        except openai.APIStatusError as error:
            answer = error.response
            content = self._access.without(answer.content)
            read = refusal.read(answer.status_code, content, answer.headers, self._access.hide)
            return read, answer.headers
        except openai.APIConnectionError as error:
            raise self._hidden(no_answer(error)) from None
        except openai.APIError as error:
            raise self._hidden(CallError("server_error", str(error), transient=True)) from None

    def _hidden(self, failure: CallError) -> CallError:
        failure.args = (self._access.hide(str(failure))[:MOST_TOLD],)
        return failure


def _ids(listed: Any) -> list[str]:
    """Return the names in a list of models, whatever is around them."""
    if isinstance(listed, Mapping):
        listed = listed.get("data") or listed.get("models") or listed.get("value")
    rows = listed if isinstance(listed, list) else []
    names = [row.get("id") or row.get("name") if isinstance(row, Mapping) else row for row in rows]
    return [name for name in names if isinstance(name, str)]


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what the SDK and the libraries below it raise on an answer that they cannot read (a
    header out of bounds, an encoding that is none, deep nesting) into a CallError."""
    import aiohttp
    import httpx2

    unreadable = (AssertionError, LookupError, RecursionError, TypeError, ValueError)
    try:
        yield
    except (aiohttp.ClientError, httpx2.InvalidURL, *unreadable) as error:
        detail = f"its answer cannot be read: {type(error).__name__}: {str(error)[:MOST_TOLD]}"
        raise CallError("server_error", detail, transient=True, answered=True) from None
