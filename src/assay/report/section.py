"""A section of the report: a title, and the tables and notes below it, said once for every format.

HTML, Markdown and JUnit each know how to show a block of each kind, and loop over the sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.gate import Ruling
from assay.records import Group
from assay.report.contents import MetricRow


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A few words: a table's cell, or a part of a note. `look` is "code" for an exact name and
    "worse" for what went wrong; a `side` stands before them as its dot; `hint` says more."""

    text: str
    look: Literal["", "code", "strong", "better", "worse"] = ""
    side: str = ""
    hint: str = ""


Phrase = tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Note:
    """Phrases in one line or paragraph: a "lead", "quiet" ones beside what matters, short "facts",
    or an "alert"."""

    phrases: tuple[Phrase, ...]
    look: Literal["lead", "quiet", "facts", "alert"] = "lead"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column by its name; one of a `side` has its dot, a `number` stands at the right."""

    title: str
    number: bool = False
    side: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of words, the first cell of each its title. A `folded` one is opened by its title; of
    `cards` each column is a card. What is `page_only` is not in Markdown, for its length."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Phrase, ...]
    folded: bool = False
    cards: bool = False
    page_only: bool = False


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Rows of the metric table below one title, "" for none."""

    title: str
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metric table, which each format draws by hand."""

    title: str
    groups: tuple[RowGroup, ...]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A long text with its title, folded: on the page alone, since report.json has it."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What was asked for and whether it holds: JUnit makes a test case of each."""

    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What is made by hand, by its name: score cards, charts, regressions and samples."""

    name: Literal["scores", "charts", "trend", "regressions", "samples"]


Block = Note | Table | Metrics | Text | Checks | Drawn


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section: its `name` is its anchor, and with `button` it has one at the page's top."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    button: str = ""


def note(text: str, look: Literal["lead", "quiet", "facts", "alert"] = "lead") -> Note:
    """Return one plain phrase as a note."""
    return Note(phrases=((Cell(text=text),),), look=look)


def titled(title: str, texts: Iterable[str]) -> Phrase:
    """Return a table's row of plain words."""
    return tuple(Cell(text=text) for text in (title, *texts))


def side_columns(first: str, sides: Sequence[str], *, number: bool = False) -> tuple[Column, ...]:
    """Return a column for the rows' titles, called `first`, and one for each side."""
    own = (Column(title=side.capitalize(), side=side, number=number) for side in sides)
    return (Column(title=first), *own)


def of_kind(rows: Iterable[MetricRow], kind: Group) -> tuple[MetricRow, ...]:
    """Return the rows of one kind of metric."""
    return tuple(row for row in rows if row.kind == kind)
