"""The metrics: the table of all that count, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from assay.report.contents import Report
from assay.report.glossary import TERMS, Kind
from assay.report.plain import label, number
from assay.report.section import (
    Block,
    Column,
    Group,
    Metrics,
    Section,
    Table,
    note,
    of_kind,
    titled,
)

_GROUPS: tuple[tuple[Kind, str], ...] = (
    ("judge", "Judge, {low} to {high}"),
    ("pairwise", "Judge, pairwise, 0 to 100"),
    ("similarity", "Similarity to the target, 0 to 100"),
    ("own", "Metrics of your own"),
    ("likelihood", "Likelihood of the target"),
)
_COUNTING = (
    "The metrics measure overlapping things, so their count is not a vote; and of twenty 95% "
    "intervals around no difference, one excludes 0 by chance."
)


def section(report: Report) -> Section:
    """Return the metrics that count in the verdict."""
    title = "Each metric of baseline and candidate with its 95% interval"
    table = Metrics(title=title, groups=tuple(_groups(report)))
    blocks: tuple[Block, ...] = (table, _meanings(report))
    compared = [row for row in report.summary if row.comparison]
    if compared:
        smallest = (
            f"{label(row.name)} {number(row.comparison.detectable, row.kind)}"
            for row in compared
            if row.comparison
        )
        told = f"Smallest detectable difference with these samples: {', '.join(smallest)}."
        blocks += (note(told, "quiet"),)
    return Section(name="metrics", title="Metrics", button="Metrics", blocks=blocks)


def _groups(report: Report) -> Iterator[Group]:
    low, high = report.judge_scale
    for kind, title in _GROUPS:
        rows = of_kind(report.summary, kind)
        if rows:
            yield Group(title=title.format(low=low, high=high), rows=rows)


def _meanings(report: Report) -> Table:
    own = [(label(row.name), row.meaning) for row in report.summary if row.meaning]
    terms = [*own, *TERMS, ("How many metrics", _COUNTING)]
    return Table(
        title="What the metrics mean",
        columns=(Column(title="Name"), Column(title="Meaning")),
        rows=tuple(titled(name, [meaning]) for name, meaning in terms),
        folded=True,
    )
