"""The blocks of a section as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from assay.report.contents import Row
from assay.report.markdown.markup import cell, code, inline, table
from assay.report.plain import label, number, signed
from assay.report.section import Block, Cell, Checks, Column, Metrics, Note, Table

_OUTCOMES = {
    "better": "▲ better",
    "worse": "▼ worse",
    "higher": "higher",
    "lower": "lower",
    "none": "no difference shown",
    "few": "too few samples",
    "no interval": "no interval",
    "not compared": "–",
}
_METRIC_COLUMNS = {
    "Metric": ":--",
    "Baseline": "--:",
    "Candidate": "--:",
    "Difference": "--:",
    "95% interval": ":-:",
    "Shown": ":--",
    "Better / equal / worse": ":-:",
    "n": "--:",
    "Unscored": "--:",
}


def _note(block: Note) -> Iterator[str]:
    phrases = ["".join(_words(words) for words in phrase) for phrase in block.phrases]
    yield " · ".join(phrases)
    yield ""


def _checks(block: Checks) -> Iterator[str]:
    rows = [
        (inline(ruling.rule), ruling.decision.replace("_", "-"), inline(ruling.reason))
        for ruling in block.rulings
    ]
    yield from table(("Rule", "Decision", "Why"), (":--",) * 3, rows)
    yield ""


def _table(block: Table) -> Iterator[str]:
    if block.title:
        yield f"### {inline(block.title)}\n"
    titles = [inline(column.title) for column in block.columns]
    rows = [[_word(words) for words in row] for row in block.rows]
    yield from table(titles, [_aligned(column) for column in block.columns], rows)
    yield ""


def _metrics(block: Metrics) -> Iterator[str]:
    for group in block.groups:
        if group.title:
            yield f"### {inline(group.title)}\n"
        rows = [_row(row) for row in group.rows]
        yield from table(tuple(_METRIC_COLUMNS), tuple(_METRIC_COLUMNS.values()), rows)
        yield ""


_KINDS: Mapping[type, Callable[[Any], Iterator[str]]] = {
    Note: _note,
    Checks: _checks,
    Table: _table,
    Metrics: _metrics,
}


def lines(block: Block) -> Iterator[str]:
    """Return the lines of one block; none of what the page alone can show."""
    show = _KINDS.get(type(block))
    return show(block) if show else iter(())


def _aligned(column: Column) -> str:
    return "--:" if column.number else ":--"


def _word(words: Cell) -> str:
    return cell(words.text) if words.look == "code" else inline(words.text)


def _words(words: Cell) -> str:
    """A part of a note, with the spaces around it."""
    if words.look in ("code", "strong") and words.text.strip():
        return code(words.text) if words.look == "code" else f"**{inline(words.text)}**"
    before, after = (" " * words.text.startswith(" "), " " * words.text.endswith(" "))
    return f"{before}{inline(words.text)}{after}"


def _row(row: Row) -> list[str]:
    compared = row.comparison
    metrics = [metric for metric in (row.baseline, row.candidate) if metric]
    low, high = (compared.low, compared.high) if compared else (None, None)
    return [
        inline(label(row.name)) + " (lower is better)" * (row.direction == "lower"),
        *(number(side.value if side else None, row.kind) for side in (row.baseline, row.candidate)),
        signed(row.difference, row.kind),
        f"{signed(low, row.kind)} to {signed(high, row.kind)}" if compared else "",
        _OUTCOMES[row.outcome],
        f"{compared.better:,} / {compared.equal:,} / {compared.worse:,}" if compared else "",
        f"{compared.n if compared else metrics[-1].n:,}",
        " + ".join(f"{sum(metric.unscored.values()):,}" for metric in metrics),
    ]
