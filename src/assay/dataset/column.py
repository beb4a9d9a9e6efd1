"""The columns that a user names: by which rows belong together, and which tell them apart."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

from assay.dataset.validity import show
from assay.errors import DatasetError
from assay.text import composed, plain

NAMED = 5
MAX_TAG = 100
"""The characters of the longest tag: what is longer tells one row from all others."""
_CELLS = (str, int, float, Decimal, type(None))
"""What a cell holds that may be a tag; made once, since every cell is asked."""


class NamedColumn:
    """The values of the column `name`, asked for row by row; what is wrong with it is told once,
    by `check`, when all rows are read. `setting` is what names it, and its values are `kind`."""

    setting = "dataset.cluster"
    kind = "text, number, true or false"
    needed = True
    remedy = "Write what each of them belongs to, or leave dataset.cluster out"

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.found = False
        self.faults: list[tuple[str, str]] = []

    def value(self, row: Mapping[str, Any], place: str) -> str:
        """Return the row's value as text, "" where it has none."""
        self.rows += 1
        if self.name not in row:
            return self._fault(place, "missing") if self.needed else ""
        self.found = True
        return self._text(row[self.name], place)

    def check(self, source: str, others: Collection[str], named: Callable[[str], str]) -> None:
        """Raise DatasetError where no row has the column, or some have no value in it; `others` are
        the columns that there are, and `named` puts the names that the user knows into a place."""
        if not self.found:
            near = difflib.get_close_matches(self.name, others, n=1)
            raise DatasetError(
                f"{source}: no row has the column {self.name!r} that {self.setting} names",
                f"Did you mean {near[0]}?" if near else f"Name one of {_list(others)}",
            )
        if self.faults:
            shown = [f"{named(place)} ({cause})" for place, cause in self.faults[:NAMED]]
            more = len(self.faults) - len(shown)
            raise DatasetError(
                f"{source}: {self.name}, the column that {self.setting} names, holds no "
                f"{self.kind} in {len(self.faults):,} of {self.rows:,} rows: "
                f"{', '.join(shown)}{f' and {more:,} more' if more else ''}",
                self.remedy,
            )

    def _fault(self, place: str, cause: str) -> str:
        self.faults.append((place, cause))
        return ""

    def _text(self, value: object, place: str) -> str:
        return _text(value) or self._fault(place, show(value))


class TagColumn(NamedColumn):
    """A column of tags: a row may have none, and a value is one line, its spaces single."""

    setting = "dataset.tags"
    needed = False
    kind = f"text of at most {MAX_TAG} characters, number, true or false"
    remedy = "Write one value in each of them, or leave the column out of dataset.tags"

    def _text(self, value: object, place: str) -> str:
        tag = _tag(value) if isinstance(value, _CELLS) else None
        return self._fault(place, show(value)) if tag is None else tag


@functools.lru_cache(maxsize=1 << 12, typed=True)
def _tag(value: str | float | Decimal | None) -> str | None:
    """Return the tag that a cell holds, "" for null, what is no number and a blank text, and None
    for what is none."""
    blank = isinstance(value, str) and not value.strip()
    if blank or value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return ""
    text = composed(" ".join(_text(value).split()))
    return text if text and len(text) <= MAX_TAG and plain(text) == text else None


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


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:30]) or "its columns: there are none"
