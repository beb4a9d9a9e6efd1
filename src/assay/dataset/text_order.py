"""Texts in their order, however many there are: sorted in parts that are then merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import pairwise

from assay import store

_AT_ONCE = 1 << 22  # characters


class TextOrder:
    """Texts with their places, none of them twice."""

    def __init__(self) -> None:
        self._some: list[tuple[str, int]] = []
        self._characters = 0
        self._shelf, self._ends = store.Shelf(), [0]

    def add(self, text: str, place: int) -> None:
        """Take in one more."""
        self._some.append((text, place))
        self._characters += len(text)
        if self._characters > _AT_ONCE:
            self._put_away()

    def places(self) -> Iterator[int]:
        """Yield the places of the texts in their order."""
        if len(self._shelf):
            self._put_away()
        parts = pairwise(self._ends)
        away = [self._shelf.between(first, end) for first, end in parts]
        return (place for _, place in heapq.merge(sorted(self._some), *away))

    def _put_away(self) -> None:
        for pair in sorted(self._some):
            self._shelf.add(pair)
        self._some.clear()
        self._characters = 0
        self._ends.append(len(self._shelf))
