"""What goes over time: the training's loss, and the metrics over the runs."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.charts.figure import Figure, reach
from assay.report.contents import Reading, Record, Report, Trend
from assay.report.plain import label


def loss(report: Report) -> Figure:
    """Return the loss over the steps, {} where nothing was trained."""
    training = report.training
    if training is None or not training.steps:
        return {}
    return {
        "name": "loss",
        "title": "Training loss",
        "caption": f"From {training.losses[0]:.3g} to {training.losses[-1]:.3g} in "
        f"{training.steps[-1]:,} steps.",
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers" if len(training.steps) <= 30 else "lines",
                "name": "loss",
                "meta": "candidate",
                "x": list(training.steps),
                "y": list(training.losses),
                "hovertemplate": "step %{x}: %{y:.4~g}<extra></extra>",
            }
        ],
        "layout": {
            "showlegend": False,
            "xaxis": {"title": {"text": "step"}},
            "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
        },
    }


def trend(over: Trend, name: str) -> Figure:
    """Return one metric over the runs of a history."""
    data = [
        trace
        for side in ("baseline", "candidate")
        for trace in (_line(over, name, side), _apart(over, name, side))
        if trace["x"]
    ]
    return {
        "name": f"trend-{name}",
        "place": "trend-figures",
        "title": f"{label(name)} over the runs",
        "caption": "Each run with its 95% interval, where it has one. Hollow points are runs on "
        "another dataset.",
        "data": data,
        "layout": {"xaxis": {"type": "date"}},
    }


def _line(trend: Trend, name: str, side: str) -> Figure:
    now = trend.runs[-1].dataset_hash
    alike = [run for run in trend.runs if run.dataset_hash == now]
    points = _read_off(alike, name, side)
    return _dots(points, side) | {
        "mode": "lines+markers",
        "name": side,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(reading, "high") for _, reading in points],
            "arrayminus": [reach(reading, "low") for _, reading in points],
        },
    }


def _apart(trend: Trend, name: str, side: str) -> Figure:
    now = trend.runs[-1].dataset_hash
    others = [run for run in trend.runs if run.dataset_hash != now]
    hollow = {"mode": "markers", "marker": {"symbol": "circle-open", "opacity": 0.6, "size": 7}}
    return _dots(_read_off(others, name, side), side) | hollow | {"name": f"{side}, other data"}


def _read_off(runs: Sequence[Record], name: str, side: str) -> list[tuple[Record, Reading]]:
    return [
        (run, reading)
        for run in runs
        for reading in run.readings
        if reading.name == name and reading.side == side and reading.value is not None
    ]


def _dots(points: Sequence[tuple[Record, Reading]], side: str) -> Figure:
    return {
        "type": "scatter",
        "meta": side,
        "x": [run.time for run, _ in points],
        "y": [reading.value for _, reading in points],
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y:.4~g}<extra>%{fullData.name}</extra>",
    }
