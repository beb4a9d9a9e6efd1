"""Longest common subsequences, a machine word's worth of the table at once.

The bit-parallel algorithm of Hyyrö (2004, "Bit-parallel LCS-length computation revisited"): one
integer holds a row of the table of lengths, a zero bit where the length grows. Time grows with
the product of the lengths, divided by 64.

The length is RapidFuzz's. The positions, which rougeLsum needs, it has not: they are our own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import isqrt

_KEPT_ROWS = 2000


def lcs_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Return the length of the longest common subsequence."""
    from rapidfuzz.distance import LCSseq

    # it takes what has one hash for equal, such as "" and a zero byte: numbers have one each
    numbers = {item: number for number, item in enumerate(dict.fromkeys((*first, *second)))}
    return LCSseq.similarity([numbers[item] for item in first], [numbers[item] for item in second])


def lcs_positions(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[int]:
    """Return the positions in `first` of one longest common subsequence, the last one first: the
    one found by going back from the ends, dropping an item of `first` where that costs nothing.

    Of long texts only some rows are kept and the others computed twice, so that memory grows with
    len(first) times the square root of len(second).
    """
    places = _places(first)
    full = (1 << len(first)) - 1
    size = len(second) if len(second) < _KEPT_ROWS else isqrt(len(second))
    blocks = [second[at : at + size] for at in range(0, len(second), size or 1)]
    starts = [full]
    for block in blocks[:-1]:
        *_, row = _rows(places, full, starts[-1], block)
        starts.append(row)
    place = len(first) - 1
    positions: list[int] = []
    for block, start in zip(reversed(blocks), reversed(starts), strict=False):
        place = _go_back(first, place, block, list(_rows(places, full, start, block)), positions)
    return positions


def _go_back(
    first: Sequence[Hashable],
    place: int,
    block: Sequence[Hashable],
    rows: Sequence[int],
    positions: list[int],
) -> int:
    """Go back through the rows of a block from `place` in `first`; add the positions of the
    subsequence to `positions` and return the place that is reached."""
    at = len(block) - 1
    while at >= 0 and place >= 0:
        if first[place] == block[at]:
            positions.append(place)
            place -= 1
            at -= 1
        elif rows[at] >> place & 1:
            place -= 1
        else:
            at -= 1
    return place


def _places(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """Return for each distinct item an integer with the bits of its positions set."""
    places: dict[Hashable, int] = {}
    bit = 1
    for item in items:
        places[item] = places.get(item, 0) | bit
        bit <<= 1
    return places


def _rows(
    places: Mapping[Hashable, int], full: int, row: int, items: Iterable[Hashable]
) -> Iterator[int]:
    """Yield, for each item, the row after it, beginning after `row`."""
    for item in items:
        if item in places:
            matched = row & places[item]
            row = (row + matched | row - matched) & full
        yield row
