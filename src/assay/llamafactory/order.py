"""The samples of a job in the order that they are evaluated in. In memory is where in their file
each one is: there may be a million of them."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import store
from assay.records import Sample
from assay.share import Share


@dataclass(frozen=True, kw_only=True)
class StoredSamples:
    """Some samples of the file `path`, by the places at which they `start` there, in bytes."""

    path: Path
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Sample]:
        with self.path.open("rb") as file:
            for start in self.starts:
                yield store.row_at(file, start, Sample)

    def at(self, place: int) -> Sample:
        """Return the one at a place of these, counted from 0."""
        with self.path.open("rb") as file:
            return store.row_at(file, self.starts[place], Sample)

    def without(self, places: Collection[int]) -> StoredSamples:
        """Return the same but for those at these places."""
        if not places:
            return self
        kept = (start for place, start in enumerate(self.starts) if place not in places)
        return StoredSamples(path=self.path, starts=array("q", kept))

    def as_filed(self) -> StoredSamples:
        """Return the same in the file's order."""
        return StoredSamples(path=self.path, starts=array("q", sorted(self.starts)))


def in_order(rows: Iterable[Sample]) -> list[Sample]:
    """Return the samples in the order that they are evaluated in: the longest first, so that what
    is too large for the memory is known at once, and a batch has little padding."""
    return sorted(rows, key=_place)


def of_share(samples: Path, share: Share, batch_size: int) -> StoredSamples:
    """Return those of the samples in a file that are evaluated in a share, in that order."""
    places = sorted((*_place(row), start) for start, row in store.placed_rows(samples, Sample))
    part = share.part((start for *_, start in places), batch_size)
    return StoredSamples(path=samples, starts=array("q", part))


def _place(row: Sample) -> tuple[int, str]:
    return -sum(len(turn.content) for turn in row.messages) - len(row.target), row.id
