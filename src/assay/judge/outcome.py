"""What one request brought: the reply's text, or the cause why there is none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from assay.judge import waits
from assay.judge.body import body_of, filters
from assay.judge.causes import LIMITED, TIMEOUT, UNPARSED, cause_of, no_balance, too_large
from assay.judge.refusal import Hide, Refusal, within
from assay.settings import redacted
from assay.text import one_line, whole

Away = Literal["gone", "silent", "busy"]

NOTHING_LEFT = "nothing is left to pay with"
MOST_OF_A_NAME = 200
MOST_TOKENS = 1_000_000_000  # of one request: more is no count
_FILTERED = (
    "content_filter sensitive safety recitation blocklist prohibited_content spii moderation \
content_filtered guardrail_intervened risk_control"
)
_CUT = "length max_tokens model_length max_output_tokens token_limit max_length \
model_context_window_exceeded"
_BROKEN = "error insufficient_system_resource network_error failed abort aborted overloaded \
engine_overloaded internal_error timeout cancelled"
_FINISHES: Mapping[str, str] = {
    **dict.fromkeys(_FILTERED.split(), "content_filter"),
    **dict.fromkeys(_CUT.split(), "truncated"),
    **dict.fromkeys(_BROKEN.split(), "server_error"),
    "refusal": "refused",
}
_TOLD = {
    "content_filter": "its content filter stepped in",
    "truncated": "the reply was cut at max_tokens",
    "server_error": "the reply was broken off",
    "refused": "the model declined",
}
# what stands in front of an endpoint that is down, or has no room, says one of these
_AWAY: Mapping[int, Away] = {
    **dict.fromkeys((408, 504, 522, 524), "silent"),
    **dict.fromkeys((502, 503, 520, 521, 523, 525, 526, 527, 529, 530), "busy"),
}
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "reasoning_details")
ELSEWHERE = (*THOUGHTS, "tool_calls", "function_call")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the judge said, the prompt and output tokens that the endpoint counted, how many bytes
    all is that it has `written`, thoughts too, and what it calls the `model` that answered, ""
    where it does not say."""

    text: str
    tokens: tuple[int, int]
    written: int = 0
    model: str = ""

    def without(self, bare: Callable[[str], str]) -> Self:
        """Return it with every text of it made `bare` of secrets."""
        texts = {name: value for name, value in vars(self).items() if isinstance(value, str)}
        changed: dict[str, Any] = {name: bare(value) for name, value in texts.items()}
        return self if changed == texts else replace(self, **changed)


class CallError(Exception):
    """A request that brought no text: why (on one line, whatever the endpoint wrote), whether to
    ask again, and after how many seconds the endpoint wants to be asked (None: it did not say).
    The tokens may have been paid for; what was `answered` with HTTP 200 is taken as paid, so that
    it is asked again once at most. `written` is as of a Reply, None where no reply came. `away`
    says that the endpoint may be: there was no connection (gone), no answer in time (silent), or
    the connection was lost or it has no time (busy). Where the endpoint has to be waited for, the
    request is `held` with all others."""

    def __init__(
        self,
        cause: str,
        detail: str,
        *,
        transient: bool = False,
        wait: float | None = None,
        tokens: tuple[int, int] = (0, 0),
        answered: bool = False,
        written: int | None = None,
        away: Away | None = None,
    ) -> None:
        super().__init__(one_line(detail))
        self.cause = cause
        self.transient = transient
        self.wait = wait
        self.tokens = tokens
        self.answered = answered
        self.written = written
        self.away = away
        self.held = False


def read_reply(content: bytes, hide: Hide = redacted) -> Reply:
    """Return the reply in the body of a chat completion. Raises CallError."""
    body = body_of(content)
    if refusal := refusal_in(body, hide):
        raise call_error(refusal, {})
    return reply_in(body, content, hide)


def reply_in(body: Any, content: bytes, hide: Hide = redacted) -> Reply:
    """Return the reply in a body without an error, which was `content`. Raises CallError."""
    try:
        choice = body["choices"][0]
        finish = _finish_of(choice)
        message = choice.get("message", {}) if finish in _FINISHES else choice["message"]
        text, refused = whole(text_of(message.get("content"))), str(message.get("refusal") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        start = hide(content[:2000].decode(errors="replace").strip())[:60]
        raise CallError(
            "server_error",
            f"it answered {start!r}, not a chat completion",
            transient=True,
            answered=True,
        ) from None
    tokens, written = _tokens(body.get("usage")), _written(message)
    if refused:
        raise CallError("refused", hide(refused), tokens=tokens, written=written)
    if cause := _FINISHES.get(finish):
        detail = f"{_TOLD[cause]} (finish_reason {finish})"
        error = choice.get("error") or body.get("error")
        if error and (refusal := within({"error": error}, hide)):
            detail = f"{detail}: {refusal.text}"
        again = cause == "server_error"
        raise CallError(
            cause, detail, transient=again, tokens=tokens, answered=True, written=written
        )
    thought = next((name for name in ELSEWHERE if message.get(name)), "")
    if thought and not text.strip():
        detail = f"the reply is empty, all of its text stands in {thought}"
        raise CallError("empty", detail, tokens=tokens, written=written)
    return Reply(text=text, tokens=tokens, written=written, model=_model(body.get("model"), hide))


def _model(name: object, hide: Hide) -> str:
    return hide(one_line(name))[:MOST_OF_A_NAME] if isinstance(name, str) else ""


def refusal_in(body: Any, hide: Hide = redacted) -> Refusal | None:
    """Return the error that stands in a body of HTTP 200 in place of a reply, None where there is
    a reply, or neither of the two."""
    rows = body if isinstance(body, list) else [body]
    error = next((row for row in rows if isinstance(row, Mapping)), None)
    if error is None:
        return None
    choices = error.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not first and (names := list(filters(error.get("prompt_filter_results")))):
        text = f"its content filter stepped in: {', '.join(names)}"
        return Refusal(
            status=400, codes=("content_filter",), text=hide(one_line(text)), within=True
        )
    if isinstance(first, Mapping):
        inner = first.get("error")
        return within({"error": inner}, hide) if inner and not _has_text(first) else None
    return within(body, hide)


def _finish_of(choice: Mapping[str, Any]) -> str:
    """Return why a reply ended: the word alone, of which Gemini says more behind a colon."""
    return str(choice.get("finish_reason") or "").lower().partition(":")[0].strip()


def is_cut(choice: Mapping[str, Any]) -> bool:
    """Whether a reply says that it was cut at the limit on the output."""
    return _FINISHES.get(_finish_of(choice)) == "truncated"


def _has_text(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, Mapping) and bool(message.get("content"))


def text_of(content: object) -> str:
    """Return the text of a message: as it is, or that of its parts without the thoughts."""
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    if isinstance(content, Mapping):
        parsed = not {"type", "text"} & set(content)
        return json.dumps(content) if parsed else _part(content)
    return str(content or "")


def _written(message: Mapping[str, Any]) -> int:
    """Return how many bytes all is that a message has in it, its thoughts once."""
    fields = [message.get(name) or "" for name in ("content", "refusal")]
    thoughts = [_size(message.get(name) or "") for name in THOUGHTS]
    return sum(map(_size, fields)) + max(thoughts)


def _size(value: object, depth: int = 4) -> int:
    """Return how many bytes of text stand in the parts of a field."""
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    inner = value.values() if isinstance(value, Mapping) else value
    if not depth or not isinstance(inner, Iterable):
        return 0
    return sum(_size(each, depth - 1) for each in inner)


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _tokens(usage: object) -> tuple[int, int]:
    """Return the prompt and output tokens in a reply's `usage`, 0 for what is no such count. Where
    the total is more than both, the rest are thoughts, which are output too."""
    counts = usage if isinstance(usage, Mapping) else {}
    prompt = _count(counts.get("prompt_tokens", counts.get("input_tokens")))
    output = _count(counts.get("completion_tokens", counts.get("output_tokens")))
    total = _count(counts.get("total_tokens"))
    return prompt, max(output, total - prompt) if prompt and output else output


def _count(value: object) -> int:
    try:
        count = int(value) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
    return count if 0 <= count <= MOST_TOKENS else 0


def call_error(
    refusal: Refusal, headers: Mapping[str, str], clock: Callable[[], float] = time.time
) -> CallError:
    """Return what an error means: its cause, and whether to ask again."""
    cause = cause_of(refusal)
    limited = cause == LIMITED
    unpaid = limited and no_balance(refusal)
    passing = cause in (TIMEOUT, "server_error", UNPARSED) or (
        limited and not unpaid and not too_large(refusal)
    )
    fields = (*headers.items(), *refusal.hints)
    wait = waits.asked(refusal.text, fields, clock(), resets=limited) if passing else None
    return CallError(
        cause,
        f"{refusal.told} ({NOTHING_LEFT})" if unpaid else refusal.told,
        transient=passing,
        wait=wait,
        answered=(refusal.unclear and not limited) or cause == UNPARSED,
        away=_AWAY.get(refusal.status) if passing and not limited else None,
    )


def no_answer_in_time() -> CallError:
    """Return what an endpoint that says nothing means."""
    return CallError(TIMEOUT, "it did not answer in time", transient=True, away="silent")


def no_answer(error: BaseException) -> CallError:
    """Return what a connection that failed means."""
    root = _root(error)
    refused = isinstance(root, OSError) and not isinstance(root, TimeoutError)
    # a library may also call a refused connection a timeout
    if "Timeout" in type(root).__name__ and not refused:
        return no_answer_in_time()
    detail = str(root) or type(root).__name__
    trusted = "certificate" not in detail.lower()
    # one that was made and lost may be that request's own fault
    made = not isinstance(root, OSError) or isinstance(root, ConnectionResetError | BrokenPipeError)
    away: Away | None = None if not trusted else "busy" if made else "gone"
    return CallError("server_error", f"no connection: {detail}", transient=trusted, away=away)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
