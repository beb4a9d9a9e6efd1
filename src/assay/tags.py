"""Tags over all samples: which values there are, which samples have one, and which one is meant."""

from __future__ import annotations

import difflib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay import store
from assay.errors import SettingsError
from assay.records import ENTRY, PROMPT_LENGTH, SCRIPT
from assay.text import composed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OWN = (ENTRY, SCRIPT, PROMPT_LENGTH)
"""The tags that samples have by themselves, which stand behind the user's."""
_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One tag: its `values`, the one of most samples first, and the `numbers` of those that the
    samples have, in the dataset's order, -1 where a sample has none."""

    values: tuple[str, ...]
    numbers: NDArray[np.int32]

    def positions(self, number: int) -> NDArray[np.intp]:
        """Return where the samples of a value are."""
        import numpy as np

        return np.flatnonzero(self.numbers == number)


Tags = Mapping[str, Tag]
"""Every tag of a dataset, by name."""
Meant = tuple[str, int]
"""The name of a tag, and the number of a value of it."""


class Collector:
    """Takes the tags of one sample after the other; `tags` are those of all."""

    def __init__(self) -> None:
        self._samples = 0
        self._columns: dict[str, tuple[dict[str, int], array[int]]] = {}

    def add(self, tags: Mapping[str, str]) -> None:
        """Take the tags of the next sample."""
        columns, samples = self._columns, self._samples
        for name, value in tags.items():
            if name not in columns:
                columns[name] = {}, array("i")
            numbers, column = columns[name]
            if len(column) < samples:
                column.extend([-1] * (samples - len(column)))
            column.append(numbers.setdefault(value, len(numbers)))
        self._samples += 1

    @property
    def tags(self) -> Tags:
        """The tags of all samples so far, the user's first."""
        names = sorted(self._columns, key=lambda name: OWN.index(name) if name in OWN else -1)
        return {name: self._tag(*self._columns[name]) for name in names}

    def _tag(self, numbers: Mapping[str, int], column: Iterable[int]) -> Tag:
        import numpy as np

        held = np.full(self._samples, -1, np.int32)
        given = np.fromiter(column, np.int32)
        held[: len(given)] = given
        counts = np.bincount(given[given >= 0], minlength=len(numbers)).tolist()
        values = sorted(numbers, key=lambda value: (-counts[numbers[value]], value))
        places = np.full(len(numbers) + 1, -1, np.int32)  # the last one is of those without any
        places[[numbers[value] for value in values]] = np.arange(len(values))
        return Tag(values=tuple(values), numbers=places[held])


@dataclass(frozen=True, kw_only=True)
class _Tagged:
    tags: Mapping[str, str] = field(default_factory=dict)


def read(samples: Path) -> Tags:
    """Return the tags of the samples in a file. Raises InputError."""
    return collect(row.tags for row in store.read_rows(samples, _Tagged))


def collect(samples: Iterable[Mapping[str, str]]) -> Tags:
    """Return the tags of samples, each given by its own."""
    collector = Collector()
    for tags in samples:
        collector.add(tags)
    return collector.tags


def meant(subset: str, tags: Tags) -> Meant:
    """Return which tag and value are meant by "value" or by "tag=value". Raises SettingsError where
    none is, or the value is one of several tags."""
    for at, sign in enumerate(subset):
        name, value = subset[:at], subset[at + 1 :]
        if sign == "=" and name in tags and value in tags[name].values:
            return name, tags[name].values.index(value)
    holding = [name for name, tag in tags.items() if subset in tag.values]
    if len(holding) == 1:
        return holding[0], tags[holding[0]].values.index(subset)
    if holding:
        raise SettingsError(
            f"{subset!r} is a value of the tags {', '.join(holding)}",
            f"Write {' or '.join(f'{name}={subset}' for name in holding)}",
        )
    if composed(subset) != subset:
        return meant(composed(subset), tags)
    raise SettingsError(f"no sample has the tag {subset!r}", _remedy(subset, tags))


def _remedy(subset: str, tags: Tags) -> str:
    if not tags:
        return "Name the column that holds it in dataset.tags"
    full = [f"{name}={value}" for name, tag in tags.items() for value in tag.values[:_NAMED]]
    held = Counter(value for tag in tags.values() for value in tag.values[:_NAMED])
    known = [*full, *(value for value, count in held.items() if count == 1)]
    near = difflib.get_close_matches(subset, known, n=1)
    some = ", ".join(full[:_NAMED])
    return f"Did you mean {near[0]}?" if near else f"Name one in dataset.tags, or use one of {some}"
