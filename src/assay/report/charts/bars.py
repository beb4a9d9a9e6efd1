"""The means of the metrics as bars with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.charts.figure import Figure, reach, ticks
from assay.report.contents import Report, Row
from assay.report.plain import label

_PERCENT = [0, 25, 50, 75, 100]
_TITLES = {
    "judge": "Judge scores",
    "similarity": "Similarity to the target",
}


def bars(report: Report, kind: str) -> Figure:
    """Return the means of the metrics of one kind, {} where there are none."""
    rows = [row for row in report.summary if row.kind == kind and _has_interval(row)]
    if not rows:
        return {}
    # a bar on a scale from 1 starts at 1
    start = rows[0].scale[0] if rows[0].scale else 0.0
    values = ticks(*report.judge_scale) if kind == "judge" else _PERCENT
    sides = [side for side in ("baseline", "candidate") if any(getattr(row, side) for row in rows)]
    return {
        "name": kind,
        "title": _TITLES[kind],
        "caption": "Mean of each metric with its 95% interval.",
        "data": [_bar_trace(rows, side, start) for side in sides],
        "layout": {
            "barmode": "group",
            "yaxis": {
                "range": list(rows[0].scale or ()),
                "tickvals": values,
            },
        },
    }


def _has_interval(row: Row) -> bool:
    return any(metric and metric.low is not None for metric in (row.baseline, row.candidate))


def _bar_trace(rows: Sequence[Row], side: str, start: float) -> Figure:
    metrics = [getattr(row, side) for row in rows]
    values = [metric.value if metric else None for metric in metrics]
    return {
        "type": "bar",
        "name": side,
        "meta": side,
        "x": [label(row.name).replace(" ", "<br>") for row in rows],
        "y": [None if value is None else value - start for value in values],
        "base": start,
        "customdata": values,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(metric, "high") for metric in metrics],
            "arrayminus": [reach(metric, "low") for metric in metrics],
        },
        "hovertemplate": "%{x}: %{customdata:.2f}<extra>%{fullData.name}</extra>",
    }
