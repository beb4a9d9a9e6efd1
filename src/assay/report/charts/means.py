"""The means of the metrics with their intervals, on the part of the scale where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.records import Metric
from assay.report.charts.figure import Figure, reach
from assay.report.contents import MetricRow, Report
from assay.report.plain import label

_TITLES = {
    "judge": "Judge scores",
    "task": "The task",
    "similarity": "Similarity to the target",
}
# the part of the scale that is shown at least, and the room around what is shown
_LEAST = 0.1
_AROUND = 0.08


def means(report: Report, kind: str) -> Figure:
    """Return the means of the metrics of one kind, {} where there are none.

    They are points, not bars: a bar tells by its length, which is true only from the scale's start.
    """
    rows = [row for row in report.summary if row.kind == kind and any(_metrics([row]))]
    if not rows or rows[0].scale is None:
        return {}
    low, high = _range(rows, rows[0].scale)
    sides = [side for side in ("baseline", "candidate") if any(getattr(row, side) for row in rows)]
    return {
        "name": kind,
        "title": _TITLES[kind],
        "caption": "Mean of each metric with its 95% interval, on the part of "
        "the scale where they lie.",
        "data": [_trace(rows, side) for side in sides],
        "layout": {"scattermode": "group", "scattergap": 0.6, "yaxis": {"range": [low, high]}},
    }


def _metrics(rows: Sequence[MetricRow]) -> Iterator[Metric]:
    for row in rows:
        yield from (side for side in (row.baseline, row.candidate) if side and side.low is not None)


def _range(rows: Sequence[MetricRow], scale: tuple[float, float]) -> tuple[float, float]:
    """The bounds of all intervals with some room around them, within the scale."""
    bounds = [bound for side in _metrics(rows) for bound in (side.low, side.high)]
    shown = [bound for bound in bounds if bound is not None]
    low, high = min(shown), max(shown)
    least = _LEAST * (scale[1] - scale[0])
    room = max(_AROUND * (high - low), (least - (high - low)) / 2)
    # the points at the ends of the scale are drawn whole
    edge = 0.02 * (high - low + 2 * room)
    return max(low - room, scale[0] - edge), min(high + room, scale[1] + edge)


def _trace(rows: Sequence[MetricRow], side: str) -> Figure:
    metrics = [getattr(row, side) for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": side,
        "meta": side,
        "marker": {"size": 9},
        "x": [label(row.name).replace(" ", "<br>") for row in rows],
        "y": [metric.value if metric else None for metric in metrics],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(metric, "high") for metric in metrics],
            "arrayminus": [reach(metric, "low") for metric in metrics],
        },
        "hovertemplate": "%{x}: %{y:.2f}<extra>%{fullData.name}</extra>",
    }
