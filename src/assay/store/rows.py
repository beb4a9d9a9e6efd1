"""Records in JSONL files, a line each. The torn last line that a kill leaves in the middle of a
write is dropped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from assay.errors import DatasetError
from assay.store.encoding import from_json, reader_of, to_json, validator_of
from assay.store.files import replacing, unreadable

T = TypeVar("T")

NumberedLine = tuple[int, bytes]
"""A line of a JSONL file behind its number."""


def read_rows(path: Path, cls: type[T]) -> Iterator[T]:
    """Yield the `cls` records of a JSONL file. Raises InputError with file and line number."""
    parse = parser(path, cls)
    return (parse(line) for line in read_lines(path))


def parser(path: Path, cls: type[T]) -> Callable[[NumberedLine], T]:
    """Return what makes a `cls` record of a line of the JSONL file `path`. It raises InputError
    with file and line number."""
    from pydantic import ValidationError

    kind: Any = cls
    record, quickly = reader_of(cls, path), validator_of(kind).validate_json

    def parse(line: NumberedLine) -> T:
        try:
            row: T = quickly(line[1])
        except ValidationError:  # what is wrong with it, or half a character, is read step by step
            row = record(_json_in(line[1], path, line[0]), line[0])
        return row

    return parse


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Write records to a JSONL file, atomically; return how many."""
    count = 0
    with replacing(path) as file:
        for row in rows:
            file.write(to_json(row) + b"\n")
            count += 1
    return count


def read_lines(path: Path) -> Iterator[NumberedLine]:
    """Yield the lines of a JSONL file, each with its number from 1. Raises InputError where there
    is no such file."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n") and not is_whole(line):
                return
            yield number, line


def is_whole(line: bytes) -> bool:
    """Return whether a line of a JSONL file is no row that a kill has torn: by its end, or since it
    is an object to its end, as in a file that a person saved."""
    if line.endswith(b"\n") or not line.startswith(b"{"):
        return line.endswith(b"\n")
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _json_in(line: bytes, path: Path, number: int) -> Any:
    try:
        return from_json(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}:{number} is not JSON: {error}", "Correct or remove the line"
        ) from None
