"""Why a metric has no value or no difference: a dash alone says nothing."""

from __future__ import annotations

from assay.report.contents import MetricRow


def why(row: MetricRow, side: str) -> str:
    """Return why the metric of `row` has no value on `side`, "" where it has one."""
    metric = row.baseline if side == "baseline" else row.candidate
    if metric is None:
        return "it compares both sides" if row.kind == "pairwise" else "not scored on this side"
    if metric.value is not None:
        return ""
    causes = [f"{count:,} {cause}" for cause, count in metric.unscored.items()]
    return ", ".join(causes) or "no sample has a score"


def why_no_difference(row: MetricRow) -> str:
    """Return why the metric of `row` has no difference, "" where it has one."""
    if row.difference is not None:
        return ""
    lacking = [side for side in ("baseline", "candidate") if why(row, side)]
    if lacking:
        return f"{' and '.join(lacking)} without a value"
    return "fewer than two samples are scored on both sides"
