"""The column by which a user says which rows belong together."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from assay.dataset.validity import show
from assay.errors import DatasetError

NAMED = 5


class ClusterColumn:
    """The values of the column `name`, asked for row by row; what is wrong with it is told once,
    by `check`, when all rows are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.found = False
        self.others: set[str] = set()
        self.faults: list[tuple[str, str]] = []

    def value(self, row: Mapping[str, Any], place: str) -> str:
        """Return the row's value as text, "" where it has none."""
        self.rows += 1
        self.others.update(map(str, row))
        if self.name not in row:
            self.faults.append((place, "missing"))
            return ""
        self.found = True
        text = _text(row[self.name])
        if not text:
            self.faults.append((place, show(row[self.name])))
        return text

    def check(self, source: str, named: Callable[[str], str]) -> None:
        """Raise DatasetError where no row has the column, or some have no value in it; `named`
        puts the names that the user knows into a place."""
        if not self.found:
            near = difflib.get_close_matches(self.name, self.others, n=1)
            raise DatasetError(
                f"{source}: no row has the column {self.name!r} that dataset.cluster names",
                f"Did you mean {near[0]}?" if near else f"Name one of {_list(self.others)}",
            )
        if self.faults:
            shown = [f"{named(place)} ({cause})" for place, cause in self.faults[:NAMED]]
            more = len(self.faults) - len(shown)
            raise DatasetError(
                f"{source}: {self.name}, the column that dataset.cluster names, holds no text, "
                f"number, true or false in {len(self.faults):,} of {self.rows:,} rows: "
                f"{', '.join(shown)}{f' and {more:,} more' if more else ''}",
                "Write what each of them belongs to, or leave dataset.cluster out",
            )


def _text(value: object) -> str:
    """A number is the same text whatever it was stored as; a blank is none."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return str(int(value)) if value == int(value) else repr(float(value))
    return ""


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)[:30]) or "its columns: there are none"
