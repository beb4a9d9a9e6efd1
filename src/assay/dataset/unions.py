"""Disjoint sets: what is joined with one of a set is joined with all of it."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator


class Unions:
    """`count` places, each in a set of its own until `join` makes one of two; `sets` counts what
    is left. In which order pairs are joined changes no set (union-find, Galler and Fischer 1964,
    "An improved equivalence algorithm", Communications of the ACM 7)."""

    def __init__(self, count: int) -> None:
        self._parents = array("q", range(count))
        self.sets = count

    def find(self, place: int) -> int:
        """Return the least place of the set that `place` is in."""
        parents = self._parents
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def join(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Join the places of each pair; return by how many there are fewer sets now."""
        before = self.sets
        for pair in pairs:
            least, other = sorted(map(self.find, pair))
            self._parents[other] = least
            self.sets -= least != other
        return before - self.sets

    def roots(self) -> list[int]:
        """Return for each place the least one of its set."""
        return list(map(self.find, range(len(self._parents))))


def alike(keys: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """Yield each place whose key an earlier one has, with the first that has it; an empty key is
    like no other."""
    first: dict[Hashable, int] = {}
    for place, key in enumerate(keys):
        if key != "" and first.setdefault(key, place) != place:
            yield first[key], place
