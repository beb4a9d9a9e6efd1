"""Which row of a source each sample is of."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.dataset.column import NamedColumn, TagColumn

Common = tuple[str, tuple[tuple[str, str], ...], str]
"""What rows have in common: group, tags and entry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowOrigin:
    """The `row` that a sample is of, counted over the whole source, what that row belongs to by
    the column that the user named ("" without one), its `tags` by theirs, and the `entry` of a
    dataset_info.json that it is in, "" without one."""

    row: int
    group: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    entry: str = ""


def origin_of(
    row: int,
    value: Mapping[str, Any],
    place: str,
    column: NamedColumn | None,
    tellers: Iterable[TagColumn],
    entry: str = "",
) -> RowOrigin:
    """Return the origin of the row at a `place` with this `value`, of which `column` says what it
    belongs to and each of the `tellers` a tag. Raises DatasetError where one cannot."""
    tags = [(teller.name, teller.value(value, place)) for teller in tellers]
    return RowOrigin(
        row=row,
        group=column.value(value, place) if column else "",
        tags=tuple([tag for tag in tags if tag[1]]),
        entry=entry,
    )


class Origins(Mapping[str, RowOrigin]):
    """The origins of samples by their ids, in memory as numbers. With `turns` an id is the name of
    a row with the number of a turn behind it."""

    def __init__(self, *, turns: bool = False) -> None:
        self._turns = turns
        self._first: dict[str, int] = {}
        self._again: dict[str, int] = {}
        self._rows, self._kinds = array("q"), array("q")
        self._known: dict[Common, int] = {}
        self._told: list[Common] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        yield from self._first
        yield from self._again

    def __getitem__(self, id_: str) -> RowOrigin:
        name = id_.rpartition(":")[0] if self._turns else id_
        at = self._first.get(name)
        at = self._again[name] if at is None else at
        group, tags, entry = self._told[self._kinds[at]]
        return RowOrigin(row=self._rows[at], group=group, tags=tags, entry=entry)

    def has(self, name: str) -> bool:
        """Whether a row has this name by its own id or content."""
        return name in self._first

    def add(self, name: str, origin: RowOrigin, *, again: bool = False) -> None:
        """Note the origin of the row `name`, which is made up where the row says the same `again`
        as another one."""
        (self._again if again else self._first)[name] = len(self._rows)
        kind = origin.group, origin.tags, origin.entry
        number = self._known.setdefault(kind, len(self._told))
        if number == len(self._told):
            self._told.append(kind)
        self._rows.append(origin.row)
        self._kinds.append(number)


class Joined(Mapping[str, RowOrigin]):
    """The origins in two mappings, of which the first counts."""

    def __init__(self, first: Mapping[str, RowOrigin], second: Mapping[str, RowOrigin]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        yield from self._first
        yield from (id_ for id_ in self._second if id_ not in self._first)

    def __getitem__(self, id_: str) -> RowOrigin:
        found = self._first.get(id_)
        return self._second[id_] if found is None else found
