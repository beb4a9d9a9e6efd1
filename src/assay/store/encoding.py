"""Records to JSON, and JSON to records."""

from __future__ import annotations

import codecs
import functools
import json
import math
from collections.abc import Callable
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assay.errors import InputError
from assay.text import whole

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(value: Any, indent: int | None = None) -> bytes:
    """Return a record or JSON value as JSON bytes; a lone surrogate becomes U+FFFD, NaN and
    infinity are refused (ValueError)."""
    text = indented(value, indent) if indent else _encoder().encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return whole(text).encode()


def _plain(value: Any) -> Any:
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        raise TypeError(f"{type(value).__name__} is no record")
    return {name: getattr(value, name) for name in fields}


@functools.cache
def _encoder() -> json.JSONEncoder:
    return json.JSONEncoder(default=_plain, ensure_ascii=False, allow_nan=False)


def indented(value: Any, indent: int, line: str = "\n") -> str:
    """Return the text that json.dumps makes of a record or JSON value with `indent`, of which each
    new line begins with `line`. The one in json yields every sign through all generators above it,
    and takes twice as long."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int or (kind is float and math.isfinite(value)):
        return repr(value)
    inner = line + " " * indent
    if isinstance(value, list | tuple):
        parts = [indented(item, indent, inner) for item in value]
        return f"[{inner}{f',{inner}'.join(parts)}{line}]" if parts else "[]"
    if not isinstance(value, dict):
        if getattr(value, "__dataclass_fields__", None) is None:
            return _encoder().encode(value)
        value = _plain(value)
    parts = [f"{_name(key)}: {indented(item, indent, inner)}" for key, item in value.items()]
    return f"{{{inner}{f',{inner}'.join(parts)}{line}}}" if parts else "{}"


def _name(key: Any) -> str:
    """Return a key as JSON knows it."""
    return encode_basestring(key) if isinstance(key, str) else _encoder().encode({key: 0})[1:-4]


@functools.cache
def validator_of(cls: Any) -> TypeAdapter[Any]:
    """Return what validates `cls`, made once: it takes longer than a small file."""
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def reader_of(cls: type[T], path: Path) -> Callable[[object, int], T]:
    """Return what makes a `cls` record of a JSON value in `path` and the number of its line, 0 for
    the whole file. It raises InputError."""
    from pydantic import ValidationError

    kind: Any = cls
    adapter = validator_of(kind)

    def record(row: object, number: int) -> T:
        try:
            validated: T = adapter.validate_python(row)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or cls.__name__
            line = f"{path}:{number}" if number else str(path)
            raise InputError(f"{line}: {name}: {first['msg']}", "Write the file again") from None
        return validated

    return record


def from_json(content: bytes) -> Any:
    """Return the JSON value in UTF-8 `content`; a lone surrogate, which can only be an escape in
    it, becomes U+FFFD as in `to_json`. Raises ValueError and RecursionError."""
    value = json.loads(content.removeprefix(codecs.BOM_UTF8).decode())  # as utf-8-sig, but fast
    if b"\\ud" not in content and b"\\uD" not in content:
        return value
    return json.loads(whole(json.dumps(value, ensure_ascii=False)))
