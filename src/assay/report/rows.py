"""The rows of the report's table of metrics: both sides, their difference and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from assay.records import Comparison, Metric, MetricSpec
from assay.report.contents import MetricRow
from assay.report.findings import outcome
from assay.report.glossary import specs_of
from assay.report.run import EvaluatedRun


def table(
    run: EvaluatedRun, metrics: Sequence[Metric], comparisons: Sequence[Comparison]
) -> tuple[MetricRow, ...]:
    """Return a row for each name in `metrics`, in their order."""
    by_side = {(metric.name, metric.side): metric for metric in metrics}
    by_name = {comparison.name: comparison for comparison in comparisons}
    names = dict.fromkeys(metric.name for metric in metrics)
    specs = specs_of(run)
    signatures = {total.name: total.signature for side in run.sides for total in side.totals}
    return tuple(
        _row(
            specs[name],
            signatures.get(name, ""),
            by_side.get((name, "baseline")),
            by_side.get((name, "candidate")),
            by_name.get(name),
        )
        for name in names
    )


def _row(
    spec: MetricSpec,
    signature: str,
    baseline: Metric | None,
    candidate: Metric | None,
    comparison: Comparison | None,
) -> MetricRow:
    difference = comparison.difference if comparison else _total_difference(baseline, candidate)
    signed = f" Signature: {signature}." if signature else ""
    return MetricRow(
        name=spec.name,
        kind=spec.group,
        meaning=f"{spec.meaning}{signed}".strip(),
        scale=spec.scale,
        direction=spec.direction,
        baseline=baseline,
        candidate=candidate,
        difference=difference,
        comparison=comparison,
        outcome=outcome(comparison, difference),
    )


def _total_difference(baseline: Metric | None, candidate: Metric | None) -> float | None:
    """The difference of two totals. Means over different samples are not compared."""
    if baseline is None or candidate is None or baseline.low is not None:
        return None
    if baseline.value is None or candidate.value is None:
        return None
    return candidate.value - baseline.value
