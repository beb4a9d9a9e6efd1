"""Files -> rows, whatever the file format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assay.dataset import tables
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


Twice = dict[int, tuple[object, str]]
"""The JSON objects that have a name twice, by their id, each with that name."""


def read_file(file: Path) -> Iterator[SourceRow]:
    """Yield the rows of `file`. Raises DatasetError where it cannot be read."""
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise DatasetError(f"{file} is of no known format", f"Use one of {', '.join(READERS)}")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}", "Check the path") from None
    if not size:
        raise DatasetError(f"{file} is empty", "Write at least one row")
    yield from reader(file)


def _json(file: Path) -> Iterator[SourceRow]:
    text = _decode(file)
    if text.lstrip()[:1] == "[":
        yield from _array(file, text)
    else:
        yield from _lines(file, text)


def _array(file: Path, text: str) -> Iterator[SourceRow]:
    twice: Twice = {}
    try:
        values = json.loads(text, object_pairs_hook=partial(_once_each, twice))
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{file}:{error.lineno} is not JSON: {error.msg} (column {error.colno})",
            "Correct it there; a file that ends early was cut while it was copied",
        ) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON: {error}", "Correct the file") from None
    for number, value in enumerate(values, 1):
        yield _row(file, number, value, twice)


def _lines(file: Path, text: str) -> Iterator[SourceRow]:
    twice: Twice = {}
    decoder = json.JSONDecoder(object_pairs_hook=partial(_once_each, twice))
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        twice.clear()
        try:
            value = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            if number == 1:
                _refuse_object(file, text)
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


def _refuse_object(file: Path, text: str) -> None:
    """Say so where the first line is no JSON because the whole file is one object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(value, Mapping):
        raise DatasetError(
            f"{file} is one JSON object, not a list of rows",
            "Write [row, row, ...], or one row a line",
        )


def _csv(file: Path) -> Iterator[SourceRow]:
    for number, row in enumerate(tables.csv_rows(str(file), _decode(file)), 2):
        if isinstance(row, tables.Invalid):
            yield SourceRow(source=str(file), number=number, fault=row.cause)
        elif row is not None:
            yield SourceRow(source=str(file), number=number, value=row)


def _decode(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        told = f"{file} cannot be read: {error.strerror}"
        raise DatasetError(told, "Look at its rights") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(f"{file} is UTF-16", "Save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{file}:{line} is not UTF-8: byte 0x{content[error.start]:02x} at {error.start}",
            "Save it as UTF-8",
        ) from None


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
