"""Counting the n-grams that two texts share, each as often as it occurs in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

_LARGEST = 1 << 61


def shared_ngrams(output: Sequence[str], target: Sequence[str], order: int) -> list[int]:
    """Return, for n = 1 to `order`, how many n-grams of `output` are in `target`, each counted at
    most as often as it occurs there ("clipped" counts). Strings are sequences of characters.

    An n-gram is one integer, the number of its items in the base of how many there are; sorting
    brings equal ones together. Time grows as n log n with the length of the texts.
    """
    import numpy as np

    ids = _ids(output, target)
    base = int(ids.max(initial=0)) + 1
    grams, other = items, others = ids[: len(output)], ids[len(output) :]
    shared, largest = [_shared(grams, other)], base
    for n in range(1, order):
        if largest * base > _LARGEST:
            ranks = _ranks(np.concatenate((grams, other)))
            grams, other = ranks[: len(grams)], ranks[len(grams) :]
            largest = int(ranks.max(initial=0)) + 1
        grams = grams[:-1] * base + items[n:]
        other = other[:-1] * base + others[n:]
        largest *= base
        shared.append(_shared(grams, other) if shared[-1] else 0)
    return shared


def _ids(output: Sequence[str], target: Sequence[str]) -> Ids:
    """Return integers that are equal where items are, those of `output` first."""
    import numpy as np

    if isinstance(output, str) and isinstance(target, str):
        encoded = (output + target).encode("utf-32-le", "surrogatepass")
        return np.frombuffer(encoded, np.uint32).astype(np.int64)
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(item, len(numbers)) for text in (output, target) for item in text]
    return np.array(codes, np.int64)


def _ranks(codes: Ids) -> Ids:
    import numpy as np

    ranks: Ids = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return ranks


def _shared(grams: Ids, other: Ids) -> int:
    """Return the size of the intersection, with multiplicity."""
    import numpy as np

    if not len(grams) or not len(other):
        return 0
    marked = np.concatenate((grams * 2, other * 2 + 1))
    marked.sort()
    gram = marked >> 1
    (changes,) = (gram[1:] != gram[:-1]).nonzero()
    starts = np.concatenate(([0], changes + 1))
    in_other = np.add.reduceat(marked & 1, starts)
    in_both = np.concatenate((changes + 1, [len(marked)])) - starts
    return int(np.minimum(in_other, in_both - in_other).sum())
