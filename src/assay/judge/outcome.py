"""What one request brought: the reply's text, or the cause why there is none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.text import one_line, whole

if TYPE_CHECKING:
    import openai

MOST_TOKENS = 1_000_000_000  # of one request: more is no count
_OVERFLOW = re.compile(r"context.{0,20}(length|size|window)|exceeds? .{0,40}context", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the judge said, and the prompt and output tokens that the endpoint counted."""

    text: str
    tokens: tuple[int, int]


class CallError(Exception):
    """A request that brought no text: why (on one line, whatever the endpoint wrote), whether to
    ask again, and after how many seconds the endpoint wants to be asked (None: it did not say).
    The tokens may have been paid for."""

    def __init__(
        self,
        cause: str,
        detail: str,
        *,
        transient: bool = False,
        wait: float | None = None,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(one_line(detail))
        self.cause = cause
        self.transient = transient
        self.wait = wait
        self.tokens = tokens


def read_reply(content: bytes) -> Reply:
    """Return the reply in the body of a chat completion. Raises CallError."""
    try:
        answer = json.loads(content)
        choice = answer["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text, refusal = whole(str(message.get("content") or "")), str(message.get("refusal") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        start = content[:60].decode(errors="replace").strip()
        raise CallError(
            "server_error", f"it answered {start!r}, not a chat completion", transient=True
        ) from None
    tokens = _tokens(answer.get("usage"))
    if finish == "content_filter":
        raise CallError("content_filter", "its content filter stepped in", tokens=tokens)
    if refusal:
        raise CallError("refused", refusal, tokens=tokens)
    if finish == "length":
        raise CallError("truncated", "the reply was cut at max_tokens", tokens=tokens)
    return Reply(text=text, tokens=tokens)


def _tokens(usage: object) -> tuple[int, int]:
    """Return the prompt and output tokens in a reply's `usage`, 0 for what is no such count."""
    counts = usage if isinstance(usage, Mapping) else {}
    return _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))


def _count(value: object) -> int:
    try:
        count = int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
    return count if 0 <= count <= MOST_TOKENS else 0


def call_error(error: openai.APIError) -> CallError:
    """Return what an error of the SDK means: its cause, and whether to ask again."""
    import openai

    detail = str(error.message)
    if isinstance(error, openai.APIConnectionError):
        return _no_answer(_root(error))
    if not isinstance(error, openai.APIStatusError):
        return CallError("server_error", detail, transient=True)
    status, wait = error.status_code, _retry_after(error.response.headers)
    if status in (401, 403):
        return CallError("auth", f"HTTP {status}: the key is not accepted")
    if status == 429:
        spent = error.code == "insufficient_quota"
        return CallError("rate_limited", f"HTTP 429: {detail}", transient=not spent, wait=wait)
    if status in (408, 409, 425) or status >= 500:
        cause = "timeout" if status in (408, 504) else "server_error"
        return CallError(cause, f"HTTP {status}: {detail}", transient=True, wait=wait)
    return CallError(cause_of_refusal(error), f"HTTP {status}: {detail}")


def cause_of_refusal(error: openai.APIStatusError) -> str:
    """Return the cause of an HTTP 4xx that has no meaning of its own."""
    code, message = texts(error.code or error.type), str(error.message)
    if "content_filter" in code:
        return "content_filter"
    if "context" in code or error.status_code == 413 or _OVERFLOW.search(message):
        return "context_overflow"
    return "rejected"


def texts(value: object) -> str:
    """Return a field of an error, which may be of any JSON type: its text, or those in a list."""
    values = value if isinstance(value, list) else [value]
    return " ".join(part for part in values if isinstance(part, str))


def _no_answer(root: BaseException) -> CallError:
    refused = isinstance(root, OSError) and not isinstance(root, TimeoutError)
    # the SDK also calls a refused connection a timeout
    if "Timeout" in type(root).__name__ and not refused:
        return CallError("timeout", "it did not answer in time", transient=True)
    detail = str(root) or type(root).__name__
    return CallError("server_error", f"no connection: {detail}", transient=True)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            wait = max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
        if math.isfinite(wait):
            return wait
    return None
