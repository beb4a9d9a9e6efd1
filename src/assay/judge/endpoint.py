"""One request to the judge's endpoint: sent by the openai SDK, answered by text or by a cause."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.judge.contract import Chat
from assay.judge.outcome import (
    CallError,
    Reply,
    call_error,
    cause_of_refusal,
    read_reply,
    texts,
)
from assay.judge.settings import JudgeSettings, api_key, base_url

if TYPE_CHECKING:
    import ssl

    import openai

SHORTEST_KEY = 6
MOST_TOLD = 300
_NO_SCHEMA = re.compile(r"response_format|json_schema|grammar|structured output", re.IGNORECASE)


@dataclass
class Dialect:
    """What this endpoint turned out to accept; the first requests find out."""

    json_schema: bool = True
    temperature: bool = True
    limit: str = "max_tokens"

    def learn(self, parameter: str, message: str) -> bool:
        """Give up what the endpoint refused; return whether that leaves anything to try."""
        if self.temperature and "temperature" in (parameter or message):
            self.temperature = False
        elif self.limit == "max_tokens" and "max_tokens" in (parameter or message):
            self.limit = "max_completion_tokens"
        elif self.json_schema and _NO_SCHEMA.search(parameter or message):
            self.json_schema = False
        else:
            return False
        return True


class Endpoint:
    """An OpenAI-compatible endpoint that is asked for replies by JSON schema."""

    def __init__(self, settings: JudgeSettings) -> None:
        self.settings = settings
        self.dialect = Dialect(json_schema=settings.json_schema)
        # whole: the SDK would put it together again for each request
        self._address = f"{base_url(settings)}/chat/completions"
        self._key = api_key(settings)
        self._client = _client(settings, self._key)

    async def ask(self, chat: Chat, schema: Mapping[str, Any]) -> Reply:
        """Send one request for a reply of this JSON schema, and return it. Raises CallError."""
        import httpx2
        import openai

        while True:
            body, sent = self._body(chat, schema), repr(self.dialect)
            try:
                with _readable():
                    # not chat.completions.create: its checks of the body cost as much again
                    answer = await self._client.post(
                        self._address, body=body, cast_to=httpx2.Response
                    )
            except openai.BadRequestError as error:
                if self._refused(error, sent):
                    continue
                raise self._call_error(error) from None
            except openai.APIError as error:
                raise self._call_error(error) from None
            return read_reply(self._without_key(answer.content))

    async def models(self) -> list[str] | None:
        """Return the ids of the models served, or None where the endpoint does not list them.

        Raises CallError."""
        import openai

        try:
            with _readable():
                answer = await self._client.models.with_raw_response.list()
            return [str(row["id"]) for row in json.loads(answer.content)["data"]]
        except (openai.NotFoundError, openai.BadRequestError):
            return None
        except openai.APIStatusError as error:
            if error.status_code == 405:
                return None
            raise self._call_error(error) from None
        except openai.APIError as error:
            raise self._call_error(error) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CallError("server_error", "its list of models is not OpenAI's JSON") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, chat: Chat, schema: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": chat,
            self.dialect.limit: self.settings.max_tokens,
        }
        if self.dialect.temperature:
            body["temperature"] = self.settings.temperature
        if self.dialect.json_schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": schema},
            }
        return body

    def _refused(self, error: openai.BadRequestError, sent: str) -> bool:
        if repr(self.dialect) != sent:
            return True  # another request learned it meanwhile
        if cause_of_refusal(error) != "rejected":
            return False
        return self.dialect.learn(texts(error.param), str(error.message))

    def _call_error(self, error: openai.APIError) -> CallError:
        failure = call_error(error)
        told = self._without_key(str(failure).encode()).decode()
        failure.args = (told[:MOST_TOLD],)
        return failure

    def _without_key(self, content: bytes) -> bytes:
        """Return what the endpoint said without the key, which some endpoints quote; one as short
        as the "none" and "EMPTY" that local servers are given is no secret."""
        key = self._key.encode()
        return content.replace(key, b"***") if len(key) >= SHORTEST_KEY else content


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
        raise CallError("server_error", detail, transient=True) from None


def _client(settings: JudgeSettings, key: str) -> openai.AsyncOpenAI:
    try:
        import aiohttp  # noqa: F401
        import openai
    except ImportError:
        raise MissingExtraError("openai[aiohttp]", "judge") from None
    return openai.AsyncOpenAI(
        base_url=base_url(settings),
        api_key=key or "none",
        max_retries=0,
        timeout=settings.timeout_s,
        # a third of the processor time of the default client, whose pool does not scale
        http_client=openai.DefaultAioHttpClient(timeout=settings.timeout_s, verify=_trusted()),
    )


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Return the certificates that this machine trusts, read once for all sessions."""
    import httpx2

    return httpx2.create_ssl_context()
