"""Files -> rows, whatever the file format."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from assay.dataset import tables
from assay.dataset.content import check_content, to_read
from assay.dataset.json_array import NoArrayError, first_character, values
from assay.dataset.naming import shown
from assay.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One row of a `source`: `number` is its line in JSON lines, its place (from 1) elsewhere;
    in csv the header is row 1. `fault` says why there is no value."""

    source: str
    number: int
    value: object = None
    fault: str = ""


_RETURNED = re.compile(r"\r\s*[{\[]")  # a line that a carriage return alone ends
Twice = dict[int, tuple[object, str]]
"""The JSON objects that have a name twice, by their id, each with that name."""


def read_file(file: Path) -> Iterator[SourceRow]:
    """Yield the rows of `file`. Raises DatasetError where it cannot be read."""
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        told, how = f"{file} is of no known format", to_read(file.suffix.lower())
        raise DatasetError(told, f"{how} one of {', '.join(READERS)}")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}", "Check the path") from None
    if not size:
        raise DatasetError(f"{file} is empty", "Write at least one row")
    yield from reader(file)


def _json(file: Path) -> Iterator[SourceRow]:
    with _text(file) as text:
        if first_character(text) == "[":
            yield from _array(file, text)
        else:
            yield from _lines(file, text)


def _array(file: Path, text: TextIO) -> Iterator[SourceRow]:
    """Yield the rows of an array. It is gone through once before: what is no JSON at its end is
    said before anything else."""
    twice: Twice = {}
    decoder = json.JSONDecoder(object_pairs_hook=partial(_once_each, twice))
    try:
        deque(values(text, json.JSONDecoder()), maxlen=0)
    except NoArrayError:
        _refuse_array(file, text)
    for number, value in enumerate(values(text, decoder), 1):
        yield _row(file, number, value, twice)
        twice.clear()


def _refuse_array(file: Path, text: TextIO) -> None:
    """Say what is wrong with an array. Raises DatasetError."""
    text.seek(0)
    try:
        json.loads(text.read())
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{file}:{error.lineno} is not JSON: {error.msg} (column {error.colno})",
            "Correct it there; a file that ends early was cut while it was copied",
        ) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON: {error}", "Correct the file") from None


def _lines(file: Path, text: TextIO) -> Iterator[SourceRow]:
    twice: Twice = {}
    decoder = json.JSONDecoder(object_pairs_hook=partial(_once_each, twice))
    text.seek(0)
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        twice.clear()
        try:
            value = decoder.decode(line.removesuffix("\n"))
        except (ValueError, RecursionError) as error:
            if number == 1:
                _refuse_object(file, line)
            yield SourceRow(source=str(file), number=number, fault=f"the line is not JSON: {error}")
        else:
            yield _row(file, number, value, twice)


def _once_each(twice: Twice, pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object, noted in `twice` where a name is in it twice: one value is lost."""
    value = dict(pairs)
    if len(value) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        twice[id(value)] = value, name
    return value


def _row(file: Path, number: int, value: object, twice: Twice) -> SourceRow:
    """Return a row, without its value where an object in it is one of `twice`."""
    waiting = [value] if twice else []
    while waiting:
        part = waiting.pop()
        if id(part) in twice:
            fault = f"it has {shown(twice[id(part)][1], 80)!r} twice"
            return SourceRow(source=str(file), number=number, fault=fault)
        if isinstance(part, dict | list):
            waiting += part.values() if isinstance(part, dict) else part
    return SourceRow(source=str(file), number=number, value=value)


def _refuse_object(file: Path, line: str) -> None:
    """Say so where the first line is no JSON because of how the whole file is written."""
    if _RETURNED.search(line):
        raise DatasetError(f"{file} ends its lines with a carriage return alone", "Use line feeds")
    with _text(file) as text:
        if first_character(text) != "{":
            return
        text.seek(0)
        try:
            held = text.read().strip()
            value, end = json.JSONDecoder().raw_decode(held)
        except (ValueError, RecursionError):
            return
    if isinstance(value, Mapping) and (end == len(held) or "\n" in held[:end]):
        told = "is one JSON object" if end == len(held) else "has objects of several lines each"
        raise DatasetError(
            f"{file} {told}, not a list of rows", "Write [row, row, ...], or one row a line"
        )


def _csv(file: Path) -> Iterator[SourceRow]:
    with _text(file, newline="") as text:
        for number, row in enumerate(tables.csv_rows(str(file), text), 2):
            if isinstance(row, tables.Invalid):
                yield SourceRow(source=str(file), number=number, fault=row.cause)
            elif row is not None:
                yield SourceRow(source=str(file), number=number, value=row)


def _text(file: Path, newline: str = "\n") -> TextIO:
    """Return the text of a file, whose lines end with a `newline` as it is. Raises DatasetError for
    what is no UTF-8 anywhere in it."""
    try:
        with file.open("rb") as content:
            check_content(file, content)
        return file.open(encoding="utf-8-sig", newline=newline)
    except OSError as error:
        told = f"{file} cannot be read: {error.strerror}"
        raise DatasetError(told, "Look at its rights") from None


def _numbered(file: Path, values: Iterator[object]) -> Iterator[SourceRow]:
    for number, value in enumerate(values, 1):
        yield SourceRow(source=str(file), number=number, value=value)


READERS: Mapping[str, Callable[[Path], Iterator[SourceRow]]] = {
    ".json": _json,
    ".jsonl": _json,
    ".csv": _csv,
    ".parquet": lambda file: _numbered(file, tables.parquet_rows(file)),
    ".arrow": lambda file: _numbered(file, tables.arrow_rows(file)),
}
