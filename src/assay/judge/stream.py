"""A reply that came as a stream of server-sent events, put together again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_JOINED = ("content", "refusal", "reasoning_content", "reasoning")


def is_stream(content: bytes) -> bool:
    """Whether a body is a stream of events, whatever its header says."""
    return bool(_START.match(content))


def completion(content: bytes) -> Any:
    """Return the chat completion whose pieces a stream has brought, its error in place of it, or
    None where it brought nothing that can be read."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish: Any = None
    other: Any = None
    for event in _events(content):
        bare = not event.get("choices") and not event.get("usage")
        if bare and event.get("error"):
            return event
        if bare and "choices" not in event:
            other = other or event  # a ping, or an error that says so in a way of its own
            continue
        whole |= {name: event[name] for name in ("usage", "error") if event.get(name)}
        for choice in (event.get("choices") or [])[:1]:
            if isinstance(choice, Mapping):
                finish = choice.get("finish_reason") or finish
                _join(message, choice.get("delta") or choice.get("message"))
    if not message and finish is None:
        return other
    finish = finish or (None if b"[DONE]" in content else "aborted")
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _join(message: dict[str, Any], delta: object) -> None:
    if not isinstance(delta, Mapping):
        return
    for name in _JOINED:
        piece = delta.get(name)
        if isinstance(piece, str):
            message[name] = message.get(name, "") + piece
        elif isinstance(piece, list):
            message[name] = [*(message.get(name) or []), *piece]


def _events(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream's events; what is no JSON is passed over."""
    for block in re.split(r"\r?\n\r?\n", content.decode("utf-8-sig", errors="replace")):
        lines = [line[5:].strip() for line in block.splitlines() if line.startswith("data:")]
        for text in ["\n".join(lines)] if _is_object("\n".join(lines)) else lines:
            try:
                event = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                yield event


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
