"""The metrics of a run by name: the catalogue's, and users' own through an entry point."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assay.metrics import own
from assay.metrics.catalogue import CATALOGUE
from assay.metrics.contract import AutoMetric, CorpusFunction, MetricFunction
from assay.records import MetricSpec

_EXTRA = "'assay[metrics]'"

METRICS: Mapping[str, MetricFunction] = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if not isinstance(metric.function, CorpusFunction)
}
"""The built-in metrics that have a score for each sample."""

CORPUS_METRICS: Mapping[str, CorpusFunction] = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if isinstance(metric.function, CorpusFunction)
}
"""The built-in metrics that are one number over all samples."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The metrics of one run by name: what they are, the functions of those with a score for each
    sample, and those of the corpus'."""

    specs: tuple[MetricSpec, ...]
    functions: Mapping[str, MetricFunction]
    corpus: Mapping[str, CorpusFunction]


def select(names: tuple[str, ...]) -> Selection:
    """Return the named metrics, built-in or from the entry point group "assay.metrics".
    Raises SettingsError for an unknown name."""
    functions: dict[str, MetricFunction] = {}
    corpus: dict[str, CorpusFunction] = {}
    metrics = _metrics(names)
    for metric in metrics:
        if isinstance(metric.function, CorpusFunction):
            corpus[metric.name] = metric.function
        else:
            functions[metric.name] = metric.function
    specs = tuple(metric.spec for metric in metrics)
    return Selection(specs=specs, functions=functions, corpus=corpus)


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
    return f"pip install {_EXTRA if metric.name in CATALOGUE else metric.package}"
