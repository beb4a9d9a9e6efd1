"""The Plotly figures, as plain dicts; colours and fonts are the page's, by each trace's `meta`."""

from __future__ import annotations

from assay.report.charts.answers import histogram, lengths
from assay.report.charts.checkpoints import checkpoints
from assay.report.charts.figure import Figure, ticks
from assay.report.charts.lines import loss, trend
from assay.report.charts.means import means
from assay.report.contents import Report

__all__ = ["Figure", "figures", "ticks"]


def figures(report: Report) -> list[Figure]:
    """Return the report's figures: name, title, caption, and Plotly's data and layout."""
    charts = [
        means(report, "judge"),
        means(report, "task"),
        means(report, "similarity"),
    ]
    charts += [histogram(report), lengths(report), *checkpoints(report)]
    charts += [] if report.checkpoints else [loss(report)]
    if report.trend and len(report.trend.runs) > 1:
        charts += [trend(report.trend, name) for name in report.trend.headlines]
    return [figure for figure in charts if figure]
