"""The panel's combined scores in the report: their means, and how many judges gave them."""

from __future__ import annotations

from assay.records import Comparison, Metric
from assay.report.glossary import rank, specs_of
from assay.report.run import EvaluatedRun
from assay.stats import compare, summarise


def metrics(run: EvaluatedRun) -> list[Metric]:
    """Return each side's means of the panel's combined scores, in the order in which they are
    shown."""
    means = [
        metric
        for side in run.sides
        if side.combined
        for metric in summarise(side.side, side.combined, (), specs_of(run))
    ]
    return sorted(means, key=lambda metric: rank(metric.name))


def comparisons(run: EvaluatedRun) -> list[Comparison]:
    """Return the paired comparisons of the panel's combined scores."""
    if run.baseline is None or run.baseline.combined is None or run.candidate.combined is None:
        return []
    return compare(run.baseline.combined, run.candidate.combined, specs_of(run))
