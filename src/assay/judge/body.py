"""The JSON in the body of an answer of HTTP 200, with what gateways put around it taken off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from assay.judge import stream

_DEEPEST = 4
_WRAPPERS = ("data", "result", "response", "body")  # of a gateway around the whole answer
_COMMENTS = re.compile(rb"(?:\s|:[^\n]*\n)*")
_BLANK = b" \t\r\n\0"


def body_of(content: bytes) -> Any:
    """Return the JSON of a body, put together where it came as a stream; None for anything else."""
    if stream.is_stream(content) and (body := stream.completion(content)):
        return body
    for text in (content, _bare(content)):
        try:
            return _unwrapped(json.loads(text))
        except (ValueError, RecursionError):
            continue
    return stream.of_lines(content)


def _bare(content: bytes) -> bytes:
    """Return a body without the comments before it, by which gateways keep a connection open, and
    without what ends a stream."""
    start = _COMMENTS.match(content)
    inner = content[start.end() :] if start else content
    return inner.rstrip(_BLANK).removesuffix(b"data: [DONE]").rstrip(_BLANK)


def _unwrapped(value: Any) -> Any:
    """Return the chat completion in what some gateways put around it: a list, a text of JSON, or
    an object of their own; anything else as it is."""
    inner = value
    pieces = value if isinstance(value, list) else [value]
    if any(map(stream.is_piece, pieces)):
        objects = (piece for piece in pieces if isinstance(piece, Mapping))
        return stream.joined(objects, ended=isinstance(value, list))
    if isinstance(value, str) and value.lstrip().startswith("{"):
        inner = json.loads(value)
    elif isinstance(value, list) and len(value) == 1:
        inner = value[0]
    elif isinstance(value, Mapping) and "choices" not in value:
        inner = next((value[name] for name in _WRAPPERS if name in value), value)
    return inner if isinstance(inner, Mapping) and inner.get("choices") else value


def filters(results: object, depth: int = 0) -> Iterator[str]:
    """Yield the names of the filters that a prompt was stopped by, as Azure lists them."""
    rows = dict(enumerate(results)) if isinstance(results, list) else results
    for name, row in rows.items() if isinstance(rows, Mapping) and depth < _DEEPEST else ():
        if isinstance(row, Mapping) and row.get("filtered") is True:
            yield str(name)
        else:
            yield from filters(row, depth + 1)
