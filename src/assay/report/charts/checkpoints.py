"""The checkpoints over the steps: the metric that one was chosen by, and the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.checkpoints import CheckpointScore, Selected
from assay.report.charts.figure import Figure, reach
from assay.report.contents import Report
from assay.report.plain import label

_PLACE = "checkpoints-figures"


def checkpoints(report: Report) -> list[Figure]:
    """Return the curves of a choice among checkpoints, none where there was none."""
    selected = report.checkpoints
    if selected is None:
        return []
    figures = [] if selected.metric == "eval_loss" else [_metric(selected)]
    return [*figures, _losses(report, selected)]


def _metric(selected: Selected) -> Figure:
    name = label(selected.metric)
    return {
        "name": "checkpoints",
        "place": _PLACE,
        "title": f"{name} over the steps",
        "caption": f"Mean on the {selected.samples:,} selection samples with its 95% interval; the "
        "star is the checkpoint that was chosen.",
        "data": [_means(selected, name)],
        "layout": {"showlegend": False, "xaxis": _steps(), "yaxis": {"title": {"text": name}}},
    }


def _losses(report: Report, selected: Selected) -> Figure:
    of_eval = selected.metric == "eval_loss"
    means = _means(selected, "selection samples") if of_eval else _plain(selected)
    band = ", with its 95% interval" if of_eval else ""
    return {
        "name": "checkpoints-loss",
        "place": _PLACE,
        "title": "Loss over the steps",
        "caption": f"Of training, and of each checkpoint on the selection samples{band}; the star "
        "is the checkpoint that was chosen.",
        "data": [*_trained(report), means],
        "layout": {"xaxis": _steps(), "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"}},
    }


def _steps() -> Figure:
    return {"title": {"text": "step"}, "rangemode": "tozero"}


def _trained(report: Report) -> list[Figure]:
    training = report.training
    if training is None or not training.steps:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "training",
            "meta": "baseline",
            "x": list(training.steps),
            "y": list(training.losses),
            "hovertemplate": "step %{x}: %{y:.4~g}<extra>%{fullData.name}</extra>",
        }
    ]


def _means(selected: Selected, name: str) -> Figure:
    shown = [each for each in selected.scored if each.value is not None]
    return _points(shown, {each.step: each.value for each in shown}, selected.chosen, name) | {
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(each, "high") for each in shown],
            "arrayminus": [reach(each, "low") for each in shown],
        }
    }


def _plain(selected: Selected) -> Figure:
    shown = [each for each in selected.scored if each.eval_loss is not None]
    values = {each.step: each.eval_loss for each in shown}
    return _points(shown, values, selected.chosen, "selection samples")


def _points(
    shown: Sequence[CheckpointScore], values: Mapping[int, float | None], chosen: int, name: str
) -> Figure:
    stars = [each.step == chosen for each in shown]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "meta": "candidate",
        "x": [each.step for each in shown],
        "y": [values[each.step] for each in shown],
        "marker": {
            "symbol": ["star" if star else "circle" for star in stars],
            "size": [15 if star else 7 for star in stars],
        },
        "hovertemplate": "step %{x}: %{y:.4~g}<extra></extra>",
    }
