"""A reply that came in pieces, put together again: server-sent events, an object a line, or a list
of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_JOINED = ("content", "refusal", "reasoning_content", "reasoning")
_KEPT = ("usage", "error", "model")
_END = "[DONE]"


def is_stream(content: bytes) -> bool:
    """Whether a body is a stream of events, whatever its header says."""
    return bool(_START.match(content))


def completion(content: bytes) -> Any:
    """Return the chat completion whose pieces a stream has brought, its error in place of it, or
    None where it brought nothing that can be read."""
    return joined(_events(content), ended=_END.encode() in content)


def of_lines(content: bytes) -> Any:
    """Return the chat completion whose pieces are an object a line, None where they are not."""
    lines = [line.strip() for line in content.decode("utf-8-sig", errors="replace").splitlines()]
    texts = [line for line in lines if line]
    ended = texts[-1:] == [_END]
    events = [_object(text) for text in (texts[:-1] if ended else texts)]
    pieces = [event for event in events if event is not None]
    return joined(pieces, ended=ended) if pieces and len(pieces) == len(events) else None


def is_piece(value: object) -> bool:
    """Whether a value is one piece of a completion, which has no message of its own."""
    choices = value.get("choices") if isinstance(value, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, Mapping) and "delta" in first and not first.get("message")


def joined(pieces: Iterable[Mapping[str, Any]], *, ended: bool) -> Any:
    """Return the chat completion of which these are the pieces, an error in place of it, or None
    where they are nothing of the kind; one that neither has `ended` nor says why was broken off."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish: Any = None
    other: Any = None
    for event in pieces:
        bare = not event.get("choices") and not event.get("usage")
        if bare and event.get("error"):
            return event
        if bare and "choices" not in event:
            other = other or event  # a ping, or an error that says so in a way of its own
            continue
        whole |= {name: event[name] for name in _KEPT if event.get(name)}
        choices = event.get("choices")
        for choice in choices[:1] if isinstance(choices, list) else ():
            if isinstance(choice, Mapping):
                finish = choice.get("finish_reason") or finish
                _join(message, choice.get("delta") or choice.get("message"))
    if not message and finish is None:
        return other
    finish = finish or (None if ended else "aborted")
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _join(message: dict[str, Any], delta: object) -> None:
    """Add a piece to a message: text to text, and parts to parts where some came as these."""
    if not isinstance(delta, Mapping):
        return
    for name in _JOINED:
        piece, before = delta.get(name), message.get(name) or ""
        if isinstance(piece, str) and isinstance(before, str):
            message[name] = before + piece
        elif isinstance(piece, str | list):
            message[name] = [*_parts(before), *_parts(piece)]


def _parts(text: str | list[Any]) -> list[Any]:
    if isinstance(text, list):
        return text
    return [{"type": "text", "text": text}] if text else []


def _events(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream's events; what is no JSON is passed over."""
    for block in re.split(r"\r?\n\r?\n", content.decode("utf-8-sig", errors="replace")):
        lines = [line[5:].strip() for line in block.splitlines() if line.startswith("data:")]
        whole = _object("\n".join(lines))
        for event in [whole] if whole is not None else map(_object, lines):
            if event is not None:
                yield event


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
