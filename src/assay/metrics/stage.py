"""The stage: dataset.jsonl and predictions.jsonl in, scores.jsonl out."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, MinLen

from assay import cases, progress, store
from assay.errors import AssayError, StageError
from assay.folder import SCORES, SPECS
from assay.metrics.catalogue import DEFAULT
from assay.metrics.contract import MetricFunction, Unscored
from assay.metrics.table import select, unavailable
from assay.metrics.totals import CorpusSums, make_totals, sum_counts, totals_path
from assay.metrics.workers import cores, ordered_map
from assay.progress import Listener
from assay.records import FAILURES, Case, MetricSpec, Score

CHUNK = 32
"""Samples that a process takes at once."""
OF_ANY_OUTPUT = ("empty", "truncated")
"""The metrics that need no answer."""


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Which metrics to compute, by name, and on how many processes (0: one a core)."""

    metrics: Annotated[tuple[str, ...], MinLen(1)] = DEFAULT
    processes: Annotated[int, Ge(0)] = 0


def check(settings: MetricsSettings) -> None:
    """Raise SettingsError for a metric that does not exist, before anything is computed."""
    select(settings.metrics)


def missing(settings: MetricsSettings) -> dict[str, str]:
    """Return the wanted metrics that this machine cannot compute, each with its remedy."""
    return unavailable(dict.fromkeys(settings.metrics))


def specs(settings: MetricsSettings) -> tuple[MetricSpec, ...]:
    """Return what each wanted metric is. Raises SettingsError for one that does not exist."""
    return select(settings.metrics).specs


def compute_sides(
    samples: Path,
    predictions: Mapping[str, Path],
    out: Path,
    settings: MetricsSettings,
    *,
    listen: Listener = progress.ignore,
) -> None:
    """Score each side's predictions into `out`/<side>/scores.jsonl. Raises as `compute_metrics`
    does."""
    for side, answers in predictions.items():
        scores = out / side / SCORES
        compute_metrics(samples, answers, scores, settings, side=side, listen=listen)


def compute_metrics(
    samples: Path,
    predictions: Path,
    out: Path,
    settings: MetricsSettings,
    *,
    side: str = "",
    listen: Listener = progress.ignore,
) -> int:
    """Score every prediction and write scores.jsonl, one `Score` a row, in the order of `samples`.

    `samples` holds `Sample` rows, `predictions` `Prediction` rows with the same ids; return how
    many. What a metric's number means is in its function's docstring. Corpus metrics have no
    score for a sample: theirs go to totals.jsonl beside `out`, see `totals`. What each metric is
    goes to specs.jsonl, one `MetricSpec` a row. Texts are read as they are needed, so that memory
    does not grow with them where both files have the same order.

    Raises InputError where the ids do not match, SettingsError for an unknown metric,
    MissingExtraError where a package that a metric needs is not installed, StageError where a
    user's own metric fails.
    """
    names = tuple(dict.fromkeys(settings.metrics))
    selection = select(names)
    signatures = {name: metric.signature() for name, metric in selection.corpus.items()}
    total = cases.count(samples, predictions)
    sums = CorpusSums()

    def rows(tracker: progress.Tracker) -> Iterator[Score]:
        joined = cases.read(samples, predictions)
        for scores, counts in _score_all(joined, names, settings.processes or cores()):
            yield from scores
            sums.add(counts)
            tracker.advance(len(scores))

    note = "; ".join(f"no {name}: {remedy}" for name, remedy in missing(settings).items())
    with progress.track(
        listen, "metrics", side=side, total=total, unit="samples", note=note
    ) as tracker:
        count = store.write_rows(out, rows(tracker))
        store.write_rows(out.with_name(SPECS), selection.specs)
        store.write_rows(totals_path(out), make_totals(selection.corpus, signatures, sums))
    return count


def score(functions: Mapping[str, MetricFunction], case: Case) -> Score:
    """Return what `functions` say of one case. Where there is no
    answer, only what looks at the output as such has a value, if there is an output."""
    values: dict[str, float] = {}
    unscored: dict[str, str] = {}
    cause = case[1].unanswered
    for name, function in functions.items():
        if cause in FAILURES or (cause and name not in OF_ANY_OUTPUT):
            unscored[name] = cause
            continue
        try:
            value = float(_call(name, function, case))
        except Unscored as outcome:
            unscored[name] = outcome.cause
            continue
        if math.isfinite(value):
            values[name] = value
        else:
            unscored[name] = "not_finite"
    return Score(id=case[0].id, values=values, unscored=unscored)


def _call(name: str, function: MetricFunction, case: Case) -> float:
    try:
        return function(*case)
    except (Unscored, AssayError):
        raise
    except Exception as error:
        raise StageError(
            f"Metric {name!r} failed on id {case[0].id!r}: {type(error).__name__}: {error}",
            "Correct the metric, or let it raise assay.metrics.Unscored",
        ) from error


def _score_all(
    joined: Iterator[Case], names: tuple[str, ...], processes: int
) -> Iterator[tuple[list[Score], CorpusSums]]:
    """Yield the scores and sums of chunks, in order. The first case is scored here, so that what
    metrics load is loaded before processes fork, and shared."""
    first = list(islice(joined, 1))
    yield _score_chunk(names, first)
    chunks = iter(lambda: list(islice(joined, CHUNK)), [])
    yield from ordered_map(functools.partial(_score_chunk, names), chunks, processes)


def _score_chunk(names: tuple[str, ...], chunk: Sequence[Case]) -> tuple[list[Score], CorpusSums]:
    selection = select(names)
    scores = [score(selection.functions, case) for case in chunk]
    return scores, sum_counts(selection.corpus, chunk)
