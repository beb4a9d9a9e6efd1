"""The share of a job's batches that one of several pods does.

The batches are those of the whole job, whoever does them: an answer, and what is measured of a
target, is the same from one pod as from many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Share:
    """Every `of`-th batch, from number `index` (counted from 0) on: all of them, unless it is
    told otherwise."""

    index: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """Return what its folder is called."""
        return f"shard-{self.index}-of-{self.of}"

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the job."""
        return self.of == 1

    def has(self, batch: int) -> bool:
        """Return whether a batch, by its number, is in it."""
        return batch % self.of == self.index

    def size(self, count: int) -> int:
        """Return how many of so many are in it."""
        return len(range(self.index, count, self.of))

    def part(self, rows: Iterable[T], batch_size: int = 1) -> list[T]:
        """Return what is in it of `rows` in batches of `batch_size`."""
        return [row for at, row in enumerate(rows) if self.has(at // batch_size)]


WHOLE = Share()


def all_of(count: int) -> list[Share]:
    """Return the shares of so many pods."""
    return [Share(index=index, of=count) for index in range(count)]
