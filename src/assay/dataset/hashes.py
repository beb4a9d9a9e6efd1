"""The hashes of many prompts' words in a temporary file, each prompt's in order."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assay import store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

_AT_ONCE = 4096  # prompts
_BITS = 20


class HashFile:
    """The hashes of prompts, by the prompts' places."""

    def __init__(self, each: Iterable[Hashes] = ()) -> None:
        self.counts = array("q")
        self._shelf = store.Shelf()
        for hashes in each:
            self.add(hashes)

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, place: int) -> Hashes:
        import numpy as np

        return np.frombuffer(self._shelf[place], np.uint64)

    def add(self, hashes: Hashes) -> None:
        """Put the hashes of a prompt behind the others."""
        self.counts.append(len(hashes))
        self._shelf.add(hashes.tobytes())

    def some(self, places: Sequence[int]) -> list[Hashes]:
        """Return the hashes of the prompts at `places`."""
        import numpy as np

        return [np.frombuffer(each, np.uint64) for each in self._shelf.some(places)]

    def without(self, common: Hashes) -> HashFile:
        """Return the same without the `common` ones."""
        return HashFile(self._without(common)) if len(common) else self

    def common(self, owners: NDArray[np.int64], limit: float) -> Hashes:
        """Return the hashes that more than `limit` owners have; each prompt is of one of them."""
        import numpy as np

        filled = np.zeros(1 << _BITS, np.int64)
        for some in self._by_owner(owners):
            filled += np.bincount(_bucket(some), minlength=1 << _BITS)
        full = filled > limit  # whatever is in another bucket has too few owners
        found, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        for some in self._by_owner(owners) if full.any() else ():
            found, counts = _added(found, counts, some[full[_bucket(some)]])
        return found[counts > limit]

    def _by_owner(self, owners: NDArray[np.int64]) -> Iterator[Hashes]:
        """Yield the hashes of some owners at a time, each once an owner."""
        import numpy as np

        order = np.argsort(owners, kind="stable")
        starts = np.flatnonzero(np.diff(owners[order], prepend=-1))
        ends = np.append(starts[1:], len(order))
        for first in range(0, len(starts), _AT_ONCE):
            begin, end = starts[first : first + _AT_ONCE], ends[first : first + _AT_ONCE]
            if end[-1] - begin[0] == len(begin):
                yield np.concatenate(self.some(order[begin[0] : end[-1]].tolist()))
            else:
                parts = map(self._once, np.split(order[begin[0] : end[-1]], end[:-1] - begin[0]))
                yield np.concatenate(list(parts))

    def _once(self, places: NDArray[np.intp]) -> Hashes:
        import numpy as np

        if len(places) == 1:
            return self[int(places[0])]
        return np.unique(np.concatenate([self[place] for place in places.tolist()]))

    def _without(self, common: Hashes) -> Iterator[Hashes]:
        import numpy as np

        for first in range(0, len(self), _AT_ONCE):
            counts = self.counts[first : first + _AT_ONCE]
            whole = np.concatenate(self.some(range(first, first + len(counts))))
            own = ~np.isin(whole, common)
            ends = np.cumsum(counts)[:-1]
            for hashes, kept in zip(np.split(whole, ends), np.split(own, ends), strict=True):
                yield hashes[kept]


def _bucket(hashes: Hashes) -> NDArray[np.int64]:
    import numpy as np

    return (hashes >> np.uint64(64 - _BITS)).astype(np.int64)


def _added(
    found: Hashes, counts: NDArray[np.int64], some: Hashes
) -> tuple[Hashes, NDArray[np.int64]]:
    import numpy as np

    own, times = np.unique(some, return_counts=True)
    every = np.union1d(found, own)
    sums = np.zeros(len(every), np.int64)
    sums[np.searchsorted(every, found)] += counts
    sums[np.searchsorted(every, own)] += times
    return every, sums
