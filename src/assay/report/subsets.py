"""The metrics over the samples of one tag each: what is better on average may be worse on some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.report.aggregates import comparisons, metrics
from assay.report.contents import MetricRow, Subset, TagSummary
from assay.report.files import Labels, Likelihoods
from assay.report.glossary import specs_of
from assay.report.outcomes import stand
from assay.report.rows import table
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import SideScores, spec_of, split
from assay.tags import OWN, Tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Groups = Sequence[NDArray[np.intp]]

MOST_VALUES = 50
"""The values of a tag that are compared: those of the most samples."""


def by_tag(run: EvaluatedRun, *, distrusted: bool) -> tuple[TagSummary, ...]:
    """Return each tag with both sides over the samples of each of its values, the differences of a
    metric over the values tested at once. Diagnostics are left out, and a tag that samples have by
    themselves where all have the same. `distrusted` says so of the judge (outcomes.settle)."""
    counted = _without_diagnostics(run)
    return tuple(
        _summary(counted, name, tag, distrusted)
        for name, tag in run.tags.items()
        if len(tag.values) > 1 or name not in OWN
    )


def restricted(run: EvaluatedRun, groups: Groups) -> list[EvaluatedRun]:
    """Return the run over each group of samples, as far as metrics and comparisons look at it:
    without totals, panel, answers and ids. A group is given by the positions of its samples, and
    has none of another's."""
    sides = [_sides(side, groups) for side in run.sides]
    pairs = split(run.pairs, groups) if run.pairs else [None] * len(groups)
    return [
        replace(
            run,
            positions={},
            lengths=run.lengths[:0],
            clusters=None,
            tags={},
            baseline=of_side[0] if run.baseline else None,
            candidate=of_side[-1],
            pairs=pair,
        )
        for of_side, pair in zip(zip(*sides, strict=True), pairs, strict=True)
    ]


def _summary(run: EvaluatedRun, name: str, tag: Tag, distrusted: bool) -> TagSummary:
    shown = tag.values[:MOST_VALUES]
    groups = [tag.positions(number) for number in range(len(shown))]
    tables = [_rows(part) for part in restricted(run, groups)]
    by_metric: dict[str, list[tuple[int, MetricRow]]] = {}
    for number, rows in enumerate(tables):
        for row in rows:
            by_metric.setdefault(row.name, []).append((number, row))
    settled: list[list[MetricRow]] = [[] for _ in shown]
    for numbered in by_metric.values():
        stood = stand([row for _, row in numbered], distrusted=distrusted)
        for (number, _), row in zip(numbered, stood, strict=True):
            settled[number].append(row)
    return TagSummary(
        name=name,
        values=len(tag.values),
        samples=int((tag.numbers >= 0).sum()),
        subsets=tuple(
            Subset(tag=name, value=value, samples=len(at), rows=tuple(rows))
            for value, at, rows in zip(shown, groups, settled, strict=True)
        ),
    )


def _rows(run: EvaluatedRun) -> Sequence[MetricRow]:
    """Return the table of metrics, whose meanings are said in that over all samples; what is
    detectable is told over all samples alone."""
    differences = comparisons(run, detect=False)
    return [replace(row, meaning="") for row in table(run, metrics(run), differences)]


def _without_diagnostics(run: EvaluatedRun) -> EvaluatedRun:
    specs = specs_of(run)

    def counted(side: SideRun) -> SideRun:
        scores = side.scores
        names = {name for name in scores.values if spec_of(name, specs).group != "diagnostic"}
        return replace(
            side,
            scores=replace(
                scores,
                values={name: scores.values[name] for name in names},
                causes={name: of for name, of in scores.causes.items() if name in names},
            ),
        )

    baseline = counted(run.baseline) if run.baseline else None
    return replace(run, baseline=baseline, candidate=counted(run.candidate))


def _sides(side: SideRun, groups: Groups) -> list[SideRun]:
    """Return one side of the run over each group."""
    scores, verdicts = split(side.scores, groups), split(side.verdicts, groups)
    labels = _labels(side.labels, groups)
    likelihoods = _likelihoods(side.likelihood, groups)
    return [
        replace(
            side,
            answers=replace(
                side.answers, **{name: held[:0] for name, held in vars(side.answers).items()}
            ),
            scores=scores[number],
            totals=(),
            likelihood=likelihoods[number],
            labels=labels[number],
            verdicts=verdicts[number],
            panel=(),
            combined=None,
        )
        for number in range(len(groups))
    ]


def _likelihoods(likelihood: Likelihoods | None, groups: Groups) -> list[Likelihoods | None]:
    if likelihood is None:
        return [None] * len(groups)
    parts = split(likelihood.scores, groups)
    return [
        Likelihoods(scores=scores, tokens=likelihood.tokens[at])
        for scores, at in zip(parts, groups, strict=True)
    ]


def _labels(labels: Labels | None, groups: Groups) -> list[Labels | None]:
    if labels is None:
        return [None] * len(groups)
    causes = SideScores(samples=len(labels.wanted), values={}, causes={"": labels.causes})
    return [
        replace(
            labels,
            wanted=labels.wanted[at],
            given=labels.given[at],
            compared=labels.compared[at],
            causes=part.causes[""],
        )
        for part, at in zip(split(causes, groups), groups, strict=True)
    ]
