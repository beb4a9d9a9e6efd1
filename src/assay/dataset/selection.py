"""Which samples are used: seeded draws that depend on the samples alone, not on their order.

A sample's rank is the sha256 of seed and key. A larger draw with the same seed holds the smaller
one, and a row that is added or removed moves no other row.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Collection, Sequence

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
) -> tuple[list[Sample], list[Sample]]:
    """Return (training, evaluation) samples, about `count` of them in the latter.

    Samples with the same prompt, but for case and white space, stay on one side, so that nothing
    that is evaluated was trained on; so do those that belong to the same, where `belongs` says for
    each sample to what ("" for none). Raises DatasetError where all would stay on one side.
    """
    groups = _groups([prompt_key(sample) for sample in samples], belongs)
    if len(groups) < 2:
        raise DatasetError(
            "the training data has only one prompt, or one cluster of them, so none can be held "
            "out for evaluation",
            "Add training data or give an evaluation dataset",
        )
    ranked = sorted(groups, key=lambda key: _rank(key, seed))
    held: set[int] = set()
    for key in ranked[:-1]:
        held.update(groups[key] if len(held) < count else ())
    training = [sample for place, sample in enumerate(samples) if place not in held]
    return training, [samples[place] for place in sorted(held)]


def set_aside(
    samples: Sequence[Sample],
    count: int,
    seed: int,
    *,
    belongs: Sequence[str] = (),
    staying: Collection[str] = (),
) -> tuple[list[Sample], list[Sample]]:
    """Return (training, selection) samples, at most `count` in the latter, as `hold_out` does; the
    ids of those that are `staying` in training keep there what belongs with them. Fewer, or none,
    are set aside where there are no more."""
    groups = _groups([prompt_key(sample) for sample in samples], belongs)
    free = [
        key
        for key, places in groups.items()
        if not any(samples[place].id in staying for place in places)
    ]
    aside: set[int] = set()
    for key in sorted(free, key=lambda key: _rank(key, seed))[: len(groups) - 1]:
        if len(aside) + len(groups[key]) <= count:
            aside.update(groups[key])
    training = [sample for place, sample in enumerate(samples) if place not in aside]
    return training, [samples[place] for place in sorted(aside)]


def _groups(keys: Sequence[str], belongs: Sequence[str]) -> dict[str, list[int]]:
    """Return the places that stay together, by the least of their prompts' keys."""
    unions = Unions(len(keys))
    unions.join(alike(keys))
    unions.join(alike(belongs))
    together: dict[int, list[int]] = {}
    for place, root in enumerate(unions.roots()):
        together.setdefault(root, []).append(place)
    return {min(keys[place] for place in places): places for places in together.values()}


def held_out_count(rows: int, fraction: float, max_samples: int) -> int:
    """Return how many of `rows` to hold out: `fraction` of them, but no more than are used."""
    count = math.ceil(rows * fraction)
    return min(count, max_samples) if max_samples else count


def prompt_key(sample: Sample) -> str:
    """Return the prompt's text without case and runs of white space."""
    text = " ".join(f"{message.role} {message.content}" for message in sample.messages)
    return " ".join(text.casefold().split())


def _rank(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()
