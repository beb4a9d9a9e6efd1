"""The Plotly figures, as plain dicts; colours and fonts are the page's, by each trace's `meta`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.report.contents import Points, Reading, Record, Report, Row, Trend
from assay.report.plain import label

Figure = dict[str, Any]

_TITLES = {
    "judge": "Judge scores",
    "similarity": "Similarity to the target",
}
_PERCENT = [0, 25, 50, 75, 100]
_MOST_TICKS = 5
_GOLDEN = 0.618


def figures(report: Report) -> list[Figure]:
    """Return the report's figures: name, title, caption, and Plotly's data and layout."""
    found = [
        _bars(report, "judge", ticks(*report.judge_scale)),
        _bars(report, "similarity", _PERCENT),
    ]
    found += [_histogram(report), _lengths(report), _loss(report)]
    if report.trend and len(report.trend.runs) > 1:
        found += [_trend(report.trend, name) for name in report.trend.headlines]
    return [figure for figure in found if figure]


def ticks(low: int, high: int) -> list[int]:
    """Return the scores to write at an axis: both ends, and whole ones evenly between them where
    there are some, at most five."""
    between = range(_MOST_TICKS - 1, 0, -1)
    steps = next(steps for steps in between if (high - low) % steps == 0)
    return list(range(low, high + 1, (high - low) // steps))


def _bars(report: Report, kind: str, values: Sequence[int]) -> Figure:
    rows = [row for row in report.summary if row.kind == kind and _has_interval(row)]
    if not rows:
        return {}
    # a bar on a scale from 1 starts at 1
    start = rows[0].scale[0] if rows[0].scale else 0.0
    sides = [side for side in ("baseline", "candidate") if any(getattr(row, side) for row in rows)]
    return {
        "name": kind,
        "title": _TITLES[kind],
        "caption": "Mean of each metric with its 95% interval.",
        "data": [_bar_trace(rows, side, start) for side in sides],
        "layout": {
            "barmode": "group",
            "yaxis": {"range": list(rows[0].scale or ()), "tickvals": list(values)},
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
            "array": [_reach(metric, "high") for metric in metrics],
            "arrayminus": [_reach(metric, "low") for metric in metrics],
        },
        "hovertemplate": "%{x}: %{customdata:.2f}<extra>%{fullData.name}</extra>",
    }


def _reach(metric: Any, bound: str) -> float:
    """How far the interval's `bound` is from the value."""
    limit = getattr(metric, bound, None)
    return 0.0 if limit is None or metric.value is None else abs(limit - metric.value)


def _histogram(report: Report) -> Figure:
    if not report.histograms:
        return {}
    name = next(iter(report.histograms))
    low, high = report.judge_scale
    return {
        "name": "histogram",
        "title": f"Distribution of the judge's score: {label(name).lower()}",
        "caption": "How many answers got each score. A judge that gives nearly all answers the "
        "same score tells little.",
        "data": [
            {
                "type": "bar",
                "name": side,
                "meta": side,
                "x": list(range(low, high + 1)),
                "y": list(counts),
                "hovertemplate": "score %{x}: %{y} answers<extra>%{fullData.name}</extra>",
            }
            for side, counts in report.histograms[name].items()
        ],
        "layout": {
            "barmode": "group",
            "xaxis": {**_score_ticks(low, high), "title": {"text": "score"}},
            "yaxis": {"title": {"text": "answers"}, "rangemode": "tozero"},
        },
    }


def _score_ticks(low: int, high: int) -> Figure:
    """Each score where there is room, as on 1 to 10."""
    return {"dtick": 1} if high - low < 2 * _MOST_TICKS else {"tickvals": ticks(low, high)}


def _lengths(report: Report) -> Figure:
    if not report.points:
        return {}
    judged = any(row.name == report.focus and row.kind == "judge" for row in report.summary)
    told = [
        f"{points.side} {points.correlation:+.2f}".replace("-", "−")
        for points in report.points
        if points.correlation is not None
    ]
    caption = "Does a longer answer get a higher score?"
    caption += f" Rank correlation: {', '.join(told)}." if told else ""
    caption += " Points are moved a little apart vertically." if judged else ""
    low, high = report.judge_scale
    scored = {"range": [low - 0.5, high + 0.5], "tickvals": ticks(low, high)}
    return {
        "name": "lengths",
        "title": f"{label(report.focus)} against the answer's length",
        "caption": caption,
        "data": [_point_trace(points, judged) for points in report.points],
        "layout": {
            "xaxis": {"title": {"text": "characters"}, "rangemode": "tozero"},
            "yaxis": {
                "title": {"text": label(report.focus).lower()},
                **(scored if judged else {}),
            },
        },
    }


def _point_trace(points: Points, judged: bool) -> Figure:
    spread = 0.4 if judged else 0.0
    return {
        "type": "scatter",
        "mode": "markers",
        "name": points.side,
        "meta": points.side,
        "x": list(points.lengths),
        "y": [
            score + spread * ((at * _GOLDEN) % 1 - 0.5) for at, score in enumerate(points.scores)
        ],
        "customdata": list(points.scores),
        "hovertemplate": "%{x} characters: %{customdata:.4~g}<extra>%{fullData.name}</extra>",
    }


def _loss(report: Report) -> Figure:
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


def _trend(trend: Trend, name: str) -> Figure:
    data = [
        trace
        for side in ("baseline", "candidate")
        for trace in (_line(trend, name, side), _apart(trend, name, side))
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
    alike = [one for one in trend.runs if one.dataset_hash == now]
    found = _read_off(alike, name, side)
    return _dots(found, side) | {
        "mode": "lines+markers",
        "name": side,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(one, "high") for _, one in found],
            "arrayminus": [_reach(one, "low") for _, one in found],
        },
    }


def _apart(trend: Trend, name: str, side: str) -> Figure:
    now = trend.runs[-1].dataset_hash
    others = [one for one in trend.runs if one.dataset_hash != now]
    hollow = {"mode": "markers", "marker": {"symbol": "circle-open"}}
    return _dots(_read_off(others, name, side), side) | hollow | {"name": f"{side}, other data"}


def _read_off(runs: Sequence[Record], name: str, side: str) -> list[tuple[Record, Reading]]:
    return [
        (run, reading)
        for run in runs
        for reading in run.readings
        if reading.name == name and reading.side == side and reading.value is not None
    ]


def _dots(found: Sequence[tuple[Record, Reading]], side: str) -> Figure:
    return {
        "type": "scatter",
        "meta": side,
        "x": [run.time for run, _ in found],
        "y": [reading.value for _, reading in found],
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y:.4~g}<extra>%{fullData.name}</extra>",
    }
