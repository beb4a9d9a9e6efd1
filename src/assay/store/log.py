"""Append-only JSONL files, whose torn last line (a kill in the middle of a write) is cut off before
the next append."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from assay.store.encoding import to_json
from assay.store.files import disk
from assay.store.rows import is_whole

BLOCK = 1 << 16


def tail(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that gives the rows a JSONL file has gained since its last call; a file
    that does not exist yet has none."""
    position = 0

    def new_rows() -> list[dict[str, Any]]:
        nonlocal position
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(position)
            whole, newline, _ = file.read().rpartition(b"\n")
        position += len(whole) + len(newline)
        return [json.loads(line) for line in whole.splitlines() if line]

    return new_rows


@contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """Open an append-only JSONL file, its torn last line cut off. Write with `append`."""
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            _cut_torn_line(path)
            yield file


def append(file: IO[bytes], row: Any) -> None:
    """Append one record and hand it to the operating system, so that a kill loses nothing."""
    file.write(to_json(row) + b"\n")
    file.flush()


def _cut_torn_line(path: Path) -> None:
    """Read from the end, a block at a time: what is appended often is long."""
    with path.open("rb") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.seek(end)
        whole = end != size and is_whole(file.read())
    if whole:
        with path.open("ab") as file:
            file.write(b"\n")
    elif end != size:
        os.truncate(path, end)
