"""The blocks of a section as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from assay.gate import called
from assay.records import Metric
from assay.report.absence import why, why_no_difference
from assay.report.contents import MetricRow
from assay.report.markdown.markup import cell, code, inline, table
from assay.report.outcomes import WORDS
from assay.report.plain import label, number, signed
from assay.report.section import Block, Cell, Checks, Column, Metrics, Note, Table

_WAYS = {"lower": " (lower is better)", "unknown": " (which way is better is unknown)"}
_ALONE = ("Metric", "Candidate", "n", "Unscored")
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
        (inline(ruling.rule), called(ruling.decision), inline(ruling.reason))
        for ruling in block.rulings
    ]
    yield from table(("Rule", "Decision", "Why"), (":--",) * 3, rows)
    yield ""


def _table(block: Table) -> Iterator[str]:
    if block.page_only:
        return
    if block.title:
        yield f"### {inline(block.title)}\n"
    titles = [inline(column.title) for column in block.columns]
    rows = [[_word(words) for words in row] for row in block.rows]
    yield from table(titles, [_aligned(column) for column in block.columns], rows)
    yield ""


def _metrics(block: Metrics) -> Iterator[str]:
    paired = any(row.baseline for group in block.groups for row in group.rows)
    shown = tuple(_METRIC_COLUMNS) if paired else _ALONE
    for group in block.groups:
        if group.title:
            yield f"### {inline(group.title)}\n"
        cells = [_row(row) for row in group.rows]
        rows = [[row[title] for title in shown] for row in cells]
        yield from table(shown, [_METRIC_COLUMNS[title] for title in shown], rows)
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


def _row(row: MetricRow) -> dict[str, str]:
    metrics = [metric for metric in (row.baseline, row.candidate) if metric]
    lacking = " + ".join(f"{sum(metric.unscored.values()):,}" for metric in metrics)
    return {
        "Metric": inline(label(row.name)) + _WAYS.get(row.direction, ""),
        "Baseline": _value(row, "baseline", row.baseline),
        "Candidate": _value(row, "candidate", row.candidate),
        "Difference": _because(signed(row.difference, row.kind), why_no_difference(row)),
        "Shown": WORDS[row.outcome],
        "Unscored": lacking,
        **_compared(row, metrics[-1]),
    }


def _value(row: MetricRow, side: str, metric: Metric | None) -> str:
    return _because(number(metric.value if metric else None, row.kind), why(row, side))


def _because(shown: str, cause: str) -> str:
    return f"{shown} ({inline(cause)})" if cause else shown


def _counted(n: int, clusters: int | None) -> str:
    return f"{n:,}" if clusters is None else f"{n:,} in {clusters:,} cluster{'s' * (clusters != 1)}"


def _compared(row: MetricRow, metric: Metric) -> dict[str, str]:
    pairs = row.comparison
    if pairs is None:
        n = _counted(metric.n, metric.clusters)
        return {"95% interval": "", "Better / equal / worse": "", "n": n}
    return {
        "95% interval": f"{signed(pairs.low, row.kind)} to {signed(pairs.high, row.kind)}",
        "Better / equal / worse": f"{pairs.better:,} / {pairs.equal:,} / {pairs.worse:,}",
        "n": _counted(pairs.n, pairs.clusters),
    }
