"""Which samples are used: seeded draws that depend on the samples alone, not on their order.

A sample's rank is the sha256 of seed and key. A larger draw with the same seed holds the smaller
one, and a row that is added or removed moves no other row.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Collection, Sequence

from assay.dataset.shelved import pick
from assay.dataset.unions import Unions, alike
from assay.errors import DatasetError
from assay.records import Sample


def draw(keys: Sequence[str], count: int, seed: int) -> list[int]:
    """Return the places of `count` of the `keys` (all where 0), in their order."""
    if not count or count >= len(keys):
        return list(range(len(keys)))
    return sorted(heapq.nsmallest(count, range(len(keys)), lambda place: _rank(keys[place], seed)))


def hold_out(
    samples: Sequence[Sample], count: int, seed: int, belongs: Sequence[str] = ()
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Return (training, evaluation) samples, about `count` of them in the latter.

    Samples with the same prompt, but for case and white space, stay on one side, so that nothing
    that is evaluated was trained on; so do those that belong to the same, where `belongs` says for
    each sample to what ("" for none). Raises DatasetError where all would stay on one side.
    """
    groups = _Groups(samples, seed, belongs)
    if len(groups.ranked) < 2:
        raise DatasetError(
            "the training data has only one prompt, or one cluster of them, so none can be held "
            "out for evaluation",
            "Add training data or give an evaluation dataset",
        )
    held, count_held = bytearray(len(samples)), 0
    for group in groups.ranked[:-1]:
        if count_held >= count:
            break
        count_held += groups.mark(group, held)
    return _parted(samples, held)


def set_aside(
    samples: Sequence[Sample],
    count: int,
    seed: int,
    *,
    belongs: Sequence[str] = (),
    staying: Collection[str] = (),
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Return (training, selection) samples, at most `count` in the latter, as `hold_out` does; the
    ids of those that are `staying` in training keep there what belongs with them. Fewer, or none,
    are set aside where there are no more."""
    groups = _Groups(samples, seed, belongs)
    looked_at = samples if staying else ()
    bound = {place for place, sample in enumerate(looked_at) if sample.id in staying}
    free = [group for group in groups.ranked if bound.isdisjoint(groups.places(group))]
    aside, count_aside = bytearray(len(samples)), 0
    for group in free[: len(groups.ranked) - 1]:
        if count_aside + len(groups.places(group)) <= count:
            count_aside += groups.mark(group, aside)
    return _parted(samples, aside)


class _Groups:
    """The samples that stay together, in groups that are `ranked` by the least of their prompts."""

    def __init__(self, samples: Sequence[Sample], seed: int, belongs: Sequence[str]) -> None:
        import numpy as np

        keys = [_rank(prompt_key(sample), seed)[:16] for sample in samples]
        unions = Unions(len(keys))
        unions.join(alike(keys))
        unions.join(alike(belongs))
        roots = np.array(unions.roots(), np.int64)
        self._places = np.argsort(roots, kind="stable")  # those of a group one after the other
        starts = np.flatnonzero(np.diff(roots[self._places], prepend=-1))
        self._bounds = np.append(starts, len(keys))

        def rank(group: int) -> bytes:
            places = self.places(group)
            if len(places) == 1 or len({keys[place] for place in places}) == 1:
                return keys[places[0]]
            return keys[min(places, key=lambda place: prompt_key(samples[place]))]

        self.ranked = sorted(range(len(starts)), key=rank)

    def places(self, group: int) -> list[int]:
        """Return the places of the samples in a group, in order."""
        places: list[int] = self._places[self._bounds[group] : self._bounds[group + 1]].tolist()
        return places

    def mark(self, group: int, taken: bytearray) -> int:
        """Mark the samples in a group as taken, and return how many these are."""
        places = self.places(group)
        for place in places:
            taken[place] = 1
        return len(places)


def _parted(
    samples: Sequence[Sample], taken: bytearray
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Return the samples at places that were not `taken`, and those at the others."""
    left = (place for place, mark in enumerate(taken) if not mark)
    return pick(samples, left), pick(samples, (place for place, mark in enumerate(taken) if mark))


def held_out_count(rows: int, fraction: float, max_samples: int) -> int:
    """Return how many of `rows` to hold out: `fraction` of them, but no more than are used."""
    count = math.ceil(rows * fraction)
    return min(count, max_samples) if max_samples else count


def prompt_key(sample: Sample) -> str:
    """Return the prompt's text without case and runs of white space."""
    text = " ".join(f"{message.role} {message.content}" for message in sample.messages)
    return " ".join(text.casefold().split())


def prompt_hash(key: str) -> bytes:
    """Return what a `prompt_key` is told from all others by, however long it is."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest()


def _rank(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()
