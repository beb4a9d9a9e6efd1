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

from assay import store
from assay.dataset.hashes import HashFile
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
BLOCK = 4096  # prompts whose digests are Python numbers at once
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
    """Prompts, by their `hashes`, to be asked which are much alike. Those of one owner, such as the
    turns of a conversation, count as one where it is counted which wording is the task's."""

    def __init__(self, hashes: HashFile, owners: Sequence[int]) -> None:
        import numpy as np

        of = np.array(owners, np.int64)
        asking = np.unique(of[np.array(hashes.counts) > 0])
        self.hashes = hashes.without(hashes.common(of, common_limit(len(asking))))

    def alike(self, left: int, right: int) -> bool:
        """Whether two prompts are near-duplicates."""
        return similarity(self.hashes[left], self.hashes[right]) >= SIMILAR

    def candidates(self, order: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the pairs that may be alike, some of them more than once; in a crowd each is one
        with those next to it in the `order`."""
        import numpy as np

        keys, places = BandKeys(self.hashes), np.array(order, np.int64)
        filled = places[np.array(self.hashes.counts)[places] > 0]
        at = np.searchsorted(keys.places, filled)
        for band in range(BANDS) if len(filled) else ():
            for bucket in _buckets(keys.of(band)[at]):
                yield from _pairs(filled[bucket].tolist())


class BandKeys:
    """The keys of prompts in each band, in a temporary file: those of the prompts that have
    hashes, which are at `places`."""

    def __init__(self, hashes: HashFile) -> None:
        import numpy as np

        self.places = np.flatnonzero(np.array(hashes.counts))
        # of a block of prompts after the other, the keys in each band
        self._keys = store.Shelf()
        for start in range(0, len(self.places), BLOCK):
            some = hashes.some(self.places[start : start + BLOCK].tolist())
            for own in band_keys(some):
                self._keys.add(own.tobytes())

    def of(self, band: int) -> NDArray[np.uint64]:
        """Return the keys in a band, in the order of the places."""
        import numpy as np

        blocks = range(band, len(self._keys), BANDS)
        return np.frombuffer(b"".join(self._keys[block] for block in blocks), np.uint64)


def band_keys(each: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the keys in each band, a row, of the prompts with `each` these hashes: those that are
    much alike have nearly always one in common."""
    import numpy as np
    import rensa

    own = [hashes.tolist() for hashes in each]
    matrix = rensa.RMinHash.digest_matrix_from_token_hash_sets(own, PERMUTATIONS, SEED)
    digests = np.array(matrix.to_rows(), np.uint64).reshape(len(each), BANDS, -1)
    mix = np.array([1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
    keys: NDArray[np.uint64] = (digests * mix[: digests.shape[2]]).sum(axis=2, dtype=np.uint64)
    return keys.T


def hashes_of(sample: Sample) -> NDArray[np.uint64]:
    """Return the hashes of a prompt's shingles, in order."""
    import numpy as np
    import rensa

    [hashes] = rensa.RMinHash.hash_token_sets([shingles(sample)])
    return np.unique(np.array(hashes, np.uint64))


def similarity(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> float:
    """Return the Jaccard similarity of two prompts, by the hashes that each has."""
    import numpy as np

    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


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
