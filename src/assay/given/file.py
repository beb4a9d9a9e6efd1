"""A file of answers, read: its rows wait in a temporary file, as there may be a million."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay import store
from assay.dataset.convert import Conversation
from assay.dataset.naming import given_id
from assay.dataset.rows import SourceRow
from assay.dataset.shelved import packed_turns, unpacked_turns
from assay.errors import DatasetError
from assay.given.columns import Columns
from assay.given.frame import Frame
from assay.given.rows import GivenRow
from assay.given.thought import Thoughts


class RawRows:
    """The rows of a source as they are there; `named` puts the names that the user knows into
    their places."""

    def __init__(self, rows: Iterator[SourceRow], named: Callable[[str], str]) -> None:
        self.columns: dict[str, None] = {}
        self.objects = 0
        self._named, self._shelf, self._numbers = named, store.Shelf(), array("q")
        self._source = ""
        for row in rows:
            self._source = row.source
            self._numbers.append(row.number)
            try:
                self._shelf.add((row.value, row.fault, False))
            except ValueError:  # such as a date of a table
                self._shelf.add((pickle.dumps(row.value), row.fault, True))
            if isinstance(row.value, Mapping):
                self.objects += 1
                self.columns.update(dict.fromkeys(map(str, row.value)))

    def __len__(self) -> int:
        return len(self._shelf)

    def __iter__(self) -> Iterator[SourceRow]:
        for number, parts in zip(self._numbers, self._shelf, strict=True):
            yield self._row(number, parts)

    def __getitem__(self, at: int) -> SourceRow:
        return self._row(self._numbers[at], self._shelf[at])

    def place(self, at: int) -> str:
        """Return where a row is."""
        return self._named(f"{self._source}:{self._numbers[at]}")

    def value(self, at: int) -> Mapping[str, Any]:
        """Return the columns of a row, none where it has none."""
        value = self[at].value
        return value if isinstance(value, Mapping) else {}

    def _row(self, number: int, parts: tuple[Any, str, bool]) -> SourceRow:
        value, fault, pickled = parts
        if pickled:
            value = pickle.loads(value)  # noqa: S301  this process wrote it
        return SourceRow(source=self._source, number=number, value=value, fault=fault)


class GivenRows:
    """The rows of a file, checked: what is wrong with them are `faults`, by number, and the number
    of each that can be used is in `ids`, where it has one. `some` says that one has. The `silent`
    ones of those with a fault lack their answer alone. What a chat template wrote around the
    prompts is left out where there is a `frame`."""

    def __init__(self, raw: RawRows) -> None:
        self.raw, self._shelf = raw, store.Shelf()
        self.faults: dict[int, DatasetError] = {}
        self.silent: set[int] = set()
        self.ids: dict[str, int] = {}
        self.some = False
        self.frame: Frame | None = None

    def __len__(self) -> int:
        return len(self._shelf)

    def __iter__(self) -> Iterator[GivenRow]:
        return map(self._row, range(len(self)), self._shelf)

    def __getitem__(self, at: int) -> GivenRow:
        return self._row(at, self._shelf[at])

    def add(self, row: GivenRow, fault: DatasetError | None) -> None:
        """Put a row behind the others."""
        if row.silent:
            self.silent.add(len(self))
        if fault:
            self.faults[len(self)] = fault
        elif row.id:
            self.ids[row.id] = len(self)
        self.some |= bool(row.id)
        said = row.conversation
        self._shelf.add(
            (
                row.id,
                row.output,
                row.reference,
                (said.system, packed_turns(said.turns), said.tools) if said else None,
                row.begun,
            )
        )

    def prompts(self) -> Iterator[str]:
        """Yield the turn that each row with a prompt answers, whatever its frame."""
        return (said[1][-2][1] for _, _, _, said, _ in self._shelf if said)

    def told(self, at: int) -> str:
        """Return what is wrong with a row."""
        return f"{self[at].told}: {self.faults[at].what}"

    def _row(self, at: int, parts: tuple[Any, ...]) -> GivenRow:
        id_, output, reference, said, begun = parts
        fault = self.faults.get(at)
        return GivenRow(
            place=self.raw.place(at),
            name=given_id(self.raw.value(at)) if fault and not id_ else "",
            id=id_,
            output=output,
            reference=reference,
            conversation=_conversation(said, self.frame) if said else None,
            begun=begun,
            fault=fault,
            silent=at in self.silent,
        )


def _conversation(parts: tuple[Any, ...], frame: Frame | None) -> Conversation:
    said = Conversation(system=parts[0], turns=unpacked_turns(parts[1]), tools=parts[2])
    if frame is None:
        return said
    asked, *rest = said.turns
    asked = replace(asked, content=frame.inside(asked.content))
    return replace(said, system=frame.system, turns=(asked, *rest))


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """A file of answers, read: its `source` as it was named, and the sha256 of its bytes. The
    prompts are `templated` where the marks of a chat template are left in them; `thoughts` says how
    those before an answer are written."""

    source: str
    sha256: str
    columns: Columns
    rows: GivenRows
    thoughts: Thoughts
    templated: bool = False

    @property
    def faults(self) -> Iterator[str]:
        """What is wrong with its rows, a line for each that cannot be used."""
        return self.faults_but(())

    def faults_but(self, places: Container[int]) -> Iterator[str]:
        """What is wrong with its rows, but for those at some `places`."""
        return (self.rows.told(at) for at in sorted(self.rows.faults) if at not in places)
