"""Rows of a JSONL file by where they are, so that none of them has to be held."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TypeVar

from assay.store.rows import parser, read_lines

T = TypeVar("T")


class PlacedRows(Mapping[str, T]):
    """The `cls` records of a JSONL file by name: each is read when it is asked for, and in memory
    is the byte at which it `starts`. More may come to stand behind them meanwhile."""

    def __init__(self, path: Path, cls: type[T], starts: Mapping[str, int]) -> None:
        self._parse, self._starts = parser(path, cls), starts
        self._file = path.open("rb")
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._starts)

    def __contains__(self, name: object) -> bool:
        return name in self._starts

    def __getitem__(self, name: str) -> T:
        self._file.seek(self._starts[name])
        return self._parse((0, self._file.readline()))


def count_rows(path: Path) -> int:
    """Return how many rows a JSONL file has. Raises InputError where it is missing."""
    return sum(1 for _ in read_lines(path))


def placed_rows(path: Path, cls: type[T]) -> Iterator[tuple[int, T]]:
    """Yield the `cls` records of a JSONL file, each with the byte at which it starts, by which
    `row_at` reads it again. Raises InputError as `read_rows` does."""
    parse, start = parser(path, cls), 0
    for line in read_lines(path):
        yield start, parse(line)
        start += len(line[1])


def row_at(file: IO[bytes], start: int, cls: type[T]) -> T:
    """Return the `cls` record that starts at a byte of an open JSONL file."""
    file.seek(start)
    return parser(Path(file.name), cls)((0, file.readline()))
