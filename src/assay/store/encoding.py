"""Records to JSON, and JSON to records."""

from __future__ import annotations

import codecs
import functools
import json
from collections.abc import Callable
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
    text = _encoder(indent).encode(value)
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
def _encoder(indent: int | None) -> json.JSONEncoder:
    return json.JSONEncoder(default=_plain, ensure_ascii=False, allow_nan=False, indent=indent)


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
