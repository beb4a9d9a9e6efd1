"""The metrics of a run by name: the catalogue's, and users' own through an entry point."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assay.metrics import own
from assay.metrics.catalogue import CATALOGUE
from assay.metrics.contract import (
    AutoMetric,
    CorpusFunction,
    LabelFunction,
    MetricFunction,
    TaskFunction,
)
from assay.metrics.task import TaskSettings
from assay.records import MetricSpec

METRICS: Mapping[str, MetricFunction] = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if not isinstance(metric.function, CorpusFunction | TaskFunction | LabelFunction)
}
"""The built-in metrics that have a score for each sample, whatever the task is."""

TASK_METRICS: Mapping[str, TaskFunction] = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if isinstance(metric.function, TaskFunction)
}
"""The built-in metrics that have a score for each sample by the settings of the task."""

CORPUS_METRICS: Mapping[str, CorpusFunction] = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if isinstance(metric.function, CorpusFunction)
}
"""The built-in metrics that are one number over all samples."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The metrics of one run by name: what they are, the functions of those with a score for each
    sample, those of the corpus', and whether some are of the labels."""

    specs: tuple[MetricSpec, ...]
    functions: Mapping[str, MetricFunction]
    corpus: Mapping[str, CorpusFunction]
    labels: bool


def select(names: Iterable[str], task: TaskSettings) -> Selection:
    """Return the named metrics for a task, built-in or from the entry point group "assay.metrics".
    Raises SettingsError for an unknown name, and for one that needs more settings of the task."""
    functions: dict[str, MetricFunction] = {}
    corpus: dict[str, CorpusFunction] = {}
    metrics = _metrics(dict.fromkeys(names))
    for metric in metrics:
        if isinstance(metric.function, CorpusFunction):
            corpus[metric.name] = metric.function
        elif isinstance(metric.function, TaskFunction):
            functions[metric.name] = metric.function.bind(task)
        elif not isinstance(metric.function, LabelFunction):
            functions[metric.name] = metric.function
    specs = tuple(metric.spec for metric in metrics)
    labels = any(isinstance(metric.function, LabelFunction) for metric in metrics)
    return Selection(specs=specs, functions=functions, corpus=corpus, labels=labels)


def unavailable(names: Iterable[str] = CATALOGUE) -> dict[str, str]:
    """Return those of the named metrics that this machine cannot compute, each with its remedy.
    Raises SettingsError for an unknown name."""
    remedies = {metric.name: _remedy(metric) for metric in _metrics(names)}
    return {name: remedy for name, remedy in remedies.items() if remedy}


def _metrics(names: Iterable[str]) -> list[AutoMetric]:
    return [CATALOGUE.get(name) or own.load(name) for name in names]


def _remedy(metric: AutoMetric) -> str:
    if all(importlib.util.find_spec(name) for name in metric.package.split()):
        return ""
    own = f"'assay[{metric.extra}]'"
    return f"pip install {own if metric.name in CATALOGUE else metric.package}"
