"""Users' own metrics, from the entry point group "assay.metrics"."""

from __future__ import annotations

import difflib
import functools
from dataclasses import asdict, replace
from importlib.metadata import EntryPoint, entry_points

from assay import settings
from assay.errors import SettingsError
from assay.metrics.catalogue import CATALOGUE
from assay.metrics.contract import (
    PERCENT,
    AutoMetric,
    CorpusFunction,
    LabelFunction,
    MetricFunction,
    TaskFunction,
)
from assay.records import MetricSpec, Prediction, Sample

ENTRY_POINT_GROUP = "assay.metrics"
# What a module raises that is being imported, or a record that is being made, wrongly.
_BROKEN = (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError)


@functools.cache
def load(name: str) -> AutoMetric:
    """Return the metric that the entry point `name` leads to: its record, or of a bare function
    one that says nothing but its name. Raises SettingsError where there is none, or no metric."""
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in points:
        names = sorted({*CATALOGUE, *points})
        close = difflib.get_close_matches(name, names, n=1)
        raise SettingsError(
            f"metrics.metrics: {name!r} is not a metric",
            f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names)}",
        )
    loaded = _import(points[name])
    if isinstance(loaded, AutoMetric):
        return _checked(name, loaded)
    if callable(loaded):
        return AutoMetric(name=name, direction="unknown", function=loaded)
    raise SettingsError(
        f"metrics.metrics: {name!r} leads to {points[name].value}, which is no metric",
        "Let the entry point lead to a function or an assay.metrics.AutoMetric",
    )


def _import(point: EntryPoint) -> object:
    try:
        return point.load()
    except _BROKEN as error:
        raise SettingsError(
            f"metrics.metrics: {point.name!r} cannot be loaded from {point.value}: {error}",
            "Correct the entry point or install its package again",
        ) from None


def _checked(name: str, metric: AutoMetric) -> AutoMetric:
    """Return the record with its scores held to its scale."""
    where = f"metrics.metrics: {name!r}"
    if metric.name != name:
        raise SettingsError(
            f"{where} leads to the record of {metric.name!r}", "Give both the same name"
        )
    settings.build(MetricSpec, asdict(metric.spec), where)
    if metric.group not in ("own", "diagnostic"):
        raise SettingsError(f"{where} is of the group {metric.group}", "Use own or diagnostic")
    if isinstance(metric.function, TaskFunction | LabelFunction):
        raise SettingsError(
            f"{where} asks for the settings of the task, which are the built-in metrics'",
            "Give it a function of one sample, or a CorpusFunction",
        )
    total = isinstance(metric.function, CorpusFunction)
    if total != (metric.kind == "total"):
        raise SettingsError(
            f"{where} is a {metric.kind} by its record and not by its function",
            "Give a total a CorpusFunction, and a mean or rate a function of one sample",
        )
    if metric.kind == "rate" and metric.scale != PERCENT:
        raise SettingsError(f"{where} is a rate", "Score 0 or 100, and say scale=(0.0, 100.0)")
    if isinstance(metric.function, CorpusFunction) or metric.scale is None:
        return metric
    return replace(metric, function=_held(metric.function, metric))


def _held(function: MetricFunction, spec: MetricSpec) -> MetricFunction:
    """Intervals rest on the scale that a metric states, so no score may lie outside."""
    low, high = spec.scale or (float("-inf"), float("inf"))

    def held(sample: Sample, prediction: Prediction) -> float:
        value = float(function(sample, prediction))
        if value < low or value > high:
            raise ValueError(f"{value:g} is not on its scale, {low:g} to {high:g}")
        if spec.kind == "rate" and low < value < high:
            raise ValueError(f"{value:g} is neither {low:g} nor {high:g}, and it is a rate")
        return value

    return held
