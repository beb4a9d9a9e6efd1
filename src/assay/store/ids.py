"""The rows of some ids out of a JSONL file: the others are not parsed, which takes most of the
time."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from assay.store.rows import parser, read_lines

_HEAD = b'{"id": "'


class HasId(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str:
        """The id."""
        ...


T = TypeVar("T", bound=HasId)


def read_some(path: Path, cls: type[T], ids: Container[str]) -> Iterator[T]:
    """Yield the `cls` records of a JSONL file whose id is one of `ids`. Raises InputError with file
    and line number for one that cannot be read."""
    parse = parser(path, cls)
    for line in read_lines(path):
        name = id_of(line[1])
        if name is None or name in ids:
            row = parse(line)
            if row.id in ids:
                yield row


def id_of(line: bytes) -> str | None:
    """Return the id of the row in a line of JSONL that begins with it, as `to_json` writes records;
    None where only reading the whole of it says."""
    end = line.find(b'"', len(_HEAD))
    # in a text a quote has a backslash before it: this is another name or a value
    if end < 0 or not line.startswith(_HEAD) or line.find(b'"id"', end) >= 0:
        return None
    try:
        name = line[len(_HEAD) : end].decode()
    except UnicodeDecodeError:
        return None
    return None if "\\" in name else name
