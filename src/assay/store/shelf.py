"""Values that wait in a temporary file, so that as many as there are take no memory."""

from __future__ import annotations

import marshal
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from assay.errors import StoreError

_PLAIN = 2  # a form of marshal without references, which is read fastest
_AT_ONCE = 256  # values
_SPARSE = 4  # of so many one is wanted: each is read by itself


class Shelf(Sequence[Any]):
    """Text, bytes, numbers, and tuples of these, in the order in which they were added. In memory
    is where each of them ends; the file has no name and is gone with the process. Raises StoreError
    where there is no room for it."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="assay-")  # noqa: SIM115  lives as this does
        except OSError as error:
            raise _no_room(error) from error
        weakref.finalize(self, self._file.close)
        self._ends, self._written = array("q", [0]), True

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: Any) -> Any:
        start, end = self._ends[place], self._ends[place + 1]
        return marshal.loads(self._bytes(start, end))  # noqa: S302  this process wrote it

    def __iter__(self) -> Iterator[Any]:
        return self.between(0, len(self))

    def add(self, value: Any) -> None:
        """Put a value behind the others."""
        content = marshal.dumps(value, _PLAIN)
        try:
            self._file.write(content)
        except OSError as error:
            raise _no_room(error) from error
        self._ends.append(self._ends[-1] + len(content))
        self._written = False

    def between(self, first: int, end: int) -> Iterator[Any]:
        """Yield the values from one place to before another."""
        return self.some(range(first, end))

    def some(self, places: Sequence[int]) -> Iterator[Any]:
        """Yield the values at `places`: where these follow each other, many are read at once."""
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            first, last = min(part), max(part)
            if last - first > _SPARSE * len(part):
                yield from map(self.__getitem__, part)
                continue
            ends = self._ends[first : last + 2]
            content, begin = memoryview(self._bytes(ends[0], ends[-1])), ends[0]
            for place in part:
                at = place - first
                yield marshal.loads(content[ends[at] - begin : ends[at + 1] - begin])  # noqa: S302

    def _bytes(self, start: int, end: int) -> bytes:
        if not self._written:
            try:
                self._file.flush()
            except OSError as error:
                raise _no_room(error) from error
            self._written = True
        return os.pread(self._file.fileno(), end - start, start)


def _no_room(error: OSError) -> StoreError:
    return StoreError(
        f"{tempfile.gettempdir()} cannot be written: {error.strerror}",
        "Make room there, or set TMPDIR to a folder that has some",
    )
