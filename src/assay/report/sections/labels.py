"""The labels: how well each is told, and which are taken for which."""

from __future__ import annotations

from collections.abc import Iterator

from assay.report.contents import Confusion, Report
from assay.report.section import Block, Column, Phrase, Section, Table, titled

_MOST_COLUMNS = 12
_MOST_PAIRS = 20
_NONE = "no label"


def section(report: Report) -> Section | None:
    """Return the labels of each side, None where no metric is of labels."""
    if not report.confusion:
        return None
    blocks = [block for side, labels in report.confusion.items() for block in _blocks(side, labels)]
    return Section(name="labels", title="Labels", button="Labels", blocks=tuple(blocks))


def _blocks(side: str, confusion: Confusion) -> Iterator[Block]:
    yield Table(
        title=f"Each label, {side}",
        columns=(Column(title="Label"), *_numbers(["Samples", "Precision", "Recall", "F1"])),
        rows=tuple(_each(confusion)),
    )
    if len(confusion.labels) <= _MOST_COLUMNS:
        yield _matrix(side, confusion)
    elif pairs := _pairs(confusion):
        yield Table(
            title=f"Labels that are most often taken for others, {side}",
            columns=(Column(title="Target"), Column(title="Answer"), *_numbers(["Samples"])),
            rows=pairs,
            folded=True,
        )


def _numbers(titles: list[str]) -> tuple[Column, ...]:
    return tuple(Column(title=title, number=True) for title in titles)


def _each(confusion: Confusion) -> Iterator[Phrase]:
    shares = zip(confusion.precision, confusion.recall, confusion.f1, strict=True)
    for label, row, numbers in zip(confusion.labels, confusion.counts, shares, strict=True):
        told = ["" if number is None else f"{number:.1f}" for number in numbers]
        yield titled(label, [f"{sum(row):,}", *told])


def _matrix(side: str, confusion: Confusion) -> Table:
    rows = zip(confusion.labels, confusion.counts, strict=True)
    return Table(
        title=f"Targets by the labels of their answers, {side}",
        columns=(Column(title="Target"), *_numbers([*confusion.labels, _NONE])),
        rows=tuple(titled(label, [f"{count:,}" for count in row]) for label, row in rows),
    )


def _pairs(confusion: Confusion) -> tuple[Phrase, ...]:
    answers = [*confusion.labels, _NONE]
    wrong = [
        (count, label, answers[at])
        for label, row in zip(confusion.labels, confusion.counts, strict=True)
        for at, count in enumerate(row)
        if count and answers[at] != label
    ]
    worst = sorted(wrong, key=lambda pair: -pair[0])[:_MOST_PAIRS]
    return tuple(titled(label, [answer, f"{count:,}"]) for count, label, answer in worst)
