"""The metrics: the table of all that count, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from assay.records import Group
from assay.report.contents import Report
from assay.report.glossary import TERMS
from assay.report.plain import label, number
from assay.report.section import (
    Column,
    Metrics,
    RowGroup,
    Section,
    Table,
    of_kind,
    titled,
)

_GROUPS: tuple[tuple[Group, str], ...] = (
    ("judge", "Judge, {low} to {high}"),
    ("pairwise", "Judge, pairwise, 0 to 100"),
    ("task", "The task, 0 to 100"),
    ("similarity", "Similarity to the target, 0 to 100"),
    ("own", "Metrics of your own"),
    ("likelihood", "Likelihood of the target"),
)
_COUNTING = (
    "The metrics measure overlapping things, so their count is not a vote. Of twenty 95% intervals "
    "around no difference one leaves out 0 by chance, so all that are compared are tested together "
    "by Holm's procedure, the primary metric with four fifths of the 5%: where nothing differs, "
    "some metric is called in at most 5% of all reports. An interval that leaves out 0 and does "
    "not stand then may be chance."
)


def section(report: Report) -> Section:
    """Return the metrics that count in the verdict."""
    title = "Each metric of baseline and candidate with its 95% interval"
    table = Metrics(title=title, groups=tuple(_groups(report)))
    return Section(
        name="metrics", title="Metrics", button="Metrics", blocks=(table, _meanings(report))
    )


def _groups(report: Report) -> Iterator[RowGroup]:
    low, high = report.judge_scale
    for kind, title in _GROUPS:
        rows = of_kind(report.summary, kind)
        if rows:
            yield RowGroup(title=title.format(low=low, high=high), rows=rows)


def _meanings(report: Report) -> Table:
    own = [(label(row.name), row.meaning) for row in report.summary if row.meaning]
    terms = [*own, *TERMS, *_methods(report), *_detectable(report), ("How many metrics", _COUNTING)]
    return Table(
        title="What the metrics mean",
        columns=(Column(title="Name"), Column(title="Meaning")),
        rows=tuple(titled(name, [meaning]) for name, meaning in terms),
        folded=True,
    )


def _methods(report: Report) -> Iterator[tuple[str, str]]:
    """Yield which interval each number has."""
    names: dict[str, list[str]] = {}
    for row in report.summary:
        metrics = [metric for metric in (row.baseline, row.candidate) if metric and metric.method]
        numbers = [("mean", metric.method) for metric in metrics]
        numbers += [("difference", row.comparison.method)] if row.comparison else []
        for number_of, method in dict.fromkeys(numbers):
            if method:
                names.setdefault(method, []).append(f"{label(row.name)} ({number_of})")
    if names:
        told = (f"{method}: {', '.join(of)}." for method, of in names.items())
        yield "Which interval each has", " ".join(told)


def _detectable(report: Report) -> Iterator[tuple[str, str]]:
    smallest = [
        f"{label(row.name)} {number(row.comparison.detectable, row.kind)}"
        for row in report.summary
        if row.comparison and row.comparison.detectable is not None
    ]
    if smallest:
        yield "Smallest detectable with these samples", f"{', '.join(smallest)}."
