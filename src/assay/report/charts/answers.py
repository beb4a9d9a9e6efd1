"""How the scores spread, and how they go with the length of the answers."""

from __future__ import annotations

from assay.report.charts.figure import Figure, score_ticks, ticks
from assay.report.contents import Points, Report
from assay.report.plain import label

_GOLDEN = 0.618


def histogram(report: Report) -> Figure:
    """Return how many answers got which score, {} where nobody judged."""
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
            "xaxis": {**score_ticks(low, high), "title": {"text": "score"}},
            "yaxis": {"title": {"text": "answers"}, "rangemode": "tozero"},
        },
    }


def lengths(report: Report) -> Figure:
    """Return the scores against the lengths of the answers, {} without points."""
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
        "marker": {"opacity": 0.6, "size": 7},
        "x": list(points.lengths),
        "y": [
            score + spread * ((at * _GOLDEN) % 1 - 0.5) for at, score in enumerate(points.scores)
        ],
        "customdata": list(points.scores),
        "hovertemplate": "%{x} characters: %{customdata:.4~g}<extra>%{fullData.name}</extra>",
    }
