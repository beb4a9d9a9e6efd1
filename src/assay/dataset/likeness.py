"""Which prompts are much alike: near-duplicates.

Two prompts are near-duplicates where the Jaccard similarity of their shingles, runs of three
words, is at least 0.7 (Broder 1997). MinHash with banding finds the candidates, and each is then
measured exactly, so that none is reported that is not one; one at the threshold is missed with
probability (1 - 0.7^4)^32, about 2 in 10,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assay.records import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIMILAR = 0.7
PERMUTATIONS, BANDS, SEED = 128, 32, 42
_RUN = 3
# A run of words in more than a tenth of the prompts is the task's wording, not the question's.
_COMMON_SHARE, _COMMON_LEAST = 0.1, 10
# Scripts that put no spaces between words count by character.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_BLOCK = 4096  # prompts whose digests are Python numbers at once
# Of more candidates than these each is measured with its next neighbours, in the order of places.
_EVERY_PAIR, _NEIGHBOURS = 32, 16


def shingles(sample: Sample) -> set[str]:
    """Return the runs of three words in the prompt, without the system's; of fewer words there is
    one, and of none none."""
    turns = [turn.content for turn in sample.messages if turn.role != "system"]
    words = _WORD.findall(" ".join(turns).lower())
    starts = range(max(1, len(words) - _RUN + 1)) if words else ()
    return {" ".join(words[start : start + _RUN]) for start in starts}


def common_limit(prompts: int) -> float:
    """Return in how many of `prompts` a run of words may be before it counts as the task's."""
    return max(_COMMON_LEAST, _COMMON_SHARE * prompts)


class NearPrompts:
    """The prompts of `samples`, to be asked which are much alike. Those of one owner, such as the
    turns of a conversation, count as one where it is counted which wording is the task's."""

    def __init__(self, samples: Sequence[Sample], owners: Sequence[int]) -> None:
        import numpy as np

        hashed = [_hashes(sample) for sample in samples]
        ends = np.cumsum([len(hashes) for hashes in hashed])
        flat = np.concatenate(hashed)
        common = _common(flat, np.repeat(owners, np.diff(ends, prepend=0)))
        own = ~np.isin(flat, common)
        kept = np.concatenate([[0], np.cumsum(own)])
        self.ends = np.concatenate([[0], kept[ends]])
        self.flat = flat[own]

    def alike(self, left: int, right: int) -> bool:
        """Whether two prompts are near-duplicates."""
        import numpy as np

        first, second = self._own(left), self._own(right)
        shared = len(np.intersect1d(first, second, assume_unique=True))
        return shared >= SIMILAR * (len(first) + len(second) - shared)

    def candidates(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs that may be alike, some of them more than once."""
        import numpy as np

        places = np.flatnonzero(np.diff(self.ends))
        digests = self._digests(places)
        mix = np.array([1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
        for band in np.split(digests, BANDS, axis=1) if len(places) else ():
            keys = (band * mix[: band.shape[1]]).sum(axis=1, dtype=np.uint64)
            for bucket in _buckets(keys):
                yield from _pairs(places[bucket].tolist())

    def _own(self, place: int) -> NDArray[np.uint64]:
        return self.flat[self.ends[place] : self.ends[place + 1]]

    def _digests(self, places: NDArray[np.intp]) -> NDArray[np.uint64]:
        import numpy as np
        import rensa

        digests = np.empty((len(places), PERMUTATIONS), np.uint64)
        for start in range(0, len(places), _BLOCK):
            hashes = [self._own(place).tolist() for place in places[start : start + _BLOCK]]
            matrix = rensa.RMinHash.digest_matrix_from_token_hash_sets(hashes, PERMUTATIONS, SEED)
            digests[start : start + _BLOCK] = matrix.to_rows()
        return digests


def _hashes(sample: Sample) -> NDArray[np.uint64]:
    import numpy as np
    import rensa

    [hashes] = rensa.RMinHash.hash_token_sets([shingles(sample)])
    return np.unique(np.array(hashes, np.uint64))


def _common(flat: NDArray[np.uint64], owners: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The hashes that too many owners have."""
    import numpy as np

    order = np.lexsort((owners, flat))
    hashes, of = flat[order], owners[order]
    first = np.ones(len(hashes), np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (of[1:] != of[:-1])
    values, counts = np.unique(hashes[first], return_counts=True)
    limit = common_limit(len(np.unique(owners)))
    return values[counts > limit]


def _buckets(keys: NDArray[np.uint64]) -> Iterator[NDArray[np.intp]]:
    """Yield the places of each key that several have, in their order."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] + np.uint64(1)))
    ends = np.append(starts[1:], len(keys))
    several = ends - starts > 1
    for start, end in zip(starts[several], ends[several], strict=True):
        yield order[start:end]


def _pairs(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    reach = len(bucket) if len(bucket) <= _EVERY_PAIR else _NEIGHBOURS
    for at, place in enumerate(bucket):
        for other in bucket[at + 1 : at + 1 + reach]:
            yield place, other
