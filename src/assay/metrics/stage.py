"""The stage: dataset.jsonl and predictions.jsonl in, scores.jsonl out."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, NamedTuple

from annotated_types import Ge, MinLen

from assay import cases, progress, store
from assay.errors import AssayError, StageError
from assay.folder import LABELS, SCORES, SPECS
from assay.metrics import bertscore
from assay.metrics.catalogue import CATALOGUE, DEFAULT
from assay.metrics.contract import LabelFunction, MetricFunction, Unscored
from assay.metrics.labels import LABEL_ACCURACY, labelled, labels_of
from assay.metrics.table import Selection, select, unavailable
from assay.metrics.task import TaskSettings, check_choices, check_pattern
from assay.metrics.totals import CorpusSums, make_totals, sum_counts, totals_path
from assay.metrics.workers import ordered_map
from assay.process import cores
from assay.progress import Listener
from assay.records import FAILURES, Case, LabelPair, MetricSpec, Score

CHUNK, MOST = 32, 256
"""How many samples a process takes at once: the fewest, and the most, of many samples."""
QUICK = 5e-5
"""Seconds of a sample that is read and scored in no more time than handing it over takes: where no
number of processes is set and all metrics are our own, this one goes on alone."""
_ROUNDS = 64
_OF_LABELS = {
    name
    for name, metric in CATALOGUE.items()
    if isinstance(metric.function, LabelFunction) or name == LABEL_ACCURACY.name
}
OF_ANY_OUTPUT = ("empty", "truncated")
"""The metrics that need no answer."""


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """Which metrics to compute, by name, and on how many processes (0: one a core); what the
    `task` is that the task metrics measure."""

    metrics: Annotated[tuple[str, ...], MinLen(1)] = DEFAULT
    processes: Annotated[int, Ge(0)] = 0
    task: TaskSettings = field(default_factory=TaskSettings)


class _Scored(NamedTuple):
    """What is said of so many cases: the lines of their scores and of their labels."""

    samples: int
    scores: bytes
    sums: CorpusSums
    labels: bytes


class _Chunk(NamedTuple):
    """Cases as lines of two files: read in the process that scores them, which takes longer."""

    samples: Path
    predictions: Path
    lines: list[cases.CaseLines]


def check(settings: MetricsSettings) -> None:
    """Raise SettingsError for a metric that does not exist or lacks a setting of the task, before
    anything is computed."""
    check_pattern(settings.task)
    check_choices(settings.task)
    select(settings.metrics, settings.task)
    if bertscore.BERTSCORE.name in settings.metrics:
        bertscore.check(settings.task)


def check_samples(settings: MetricsSettings, samples: Path) -> None:
    """Raise InputError where the targets of `samples` are no set of labels, and a metric needs
    one."""
    _with_labels(settings, samples)


def missing(settings: MetricsSettings) -> dict[str, str]:
    """Return the wanted metrics that this machine cannot compute, each with its remedy."""
    return unavailable(dict.fromkeys(settings.metrics))


def specs(settings: MetricsSettings) -> tuple[MetricSpec, ...]:
    """Return what each wanted metric is. Raises SettingsError for one that does not exist."""
    return select(settings.metrics, settings.task).specs


def of_all_samples(settings: MetricsSettings) -> set[str]:
    """Return those of the wanted metrics that have no score for a sample. Raises SettingsError."""
    selection = select(settings.metrics, settings.task)
    return {spec.name for spec in selection.specs} - set(selection.functions)


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
    settings = _with_labels(settings, samples)  # the same for all sides, and read once
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
    user's own metric fails. Where the labels of the targets are measured, what is read of them goes
    to labels.jsonl, one `LabelPair` a row.
    """
    settings = _with_labels(settings, samples)
    selection = select(settings.metrics, settings.task)
    signatures = {name: metric.signature() for name, metric in selection.corpus.items()}
    total = cases.count(samples, predictions)
    sums = CorpusSums()

    def write(tracker: progress.Tracker) -> None:
        with store.replacing(out) as scores, _label_file(out, selection) as labels:
            for scored in _score_all(samples, predictions, settings, total):
                scores.write(scored.scores)
                labels.write(scored.labels)
                sums.add(scored.sums)
                tracker.advance(scored.samples)

    note = "; ".join(f"no {name}: {remedy}" for name, remedy in missing(settings).items())
    with progress.track(
        listen, "metrics", side=side, total=total, unit="samples", note=note
    ) as tracker:
        write(tracker)
        store.write_rows(out.with_name(SPECS), selection.specs)
        store.write_rows(totals_path(out), make_totals(selection.corpus, signatures, sums))
    return total


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


def _with_labels(settings: MetricsSettings, samples: Path) -> MetricsSettings:
    """Return the settings with the labels of the targets, where these are needed and not set."""
    if settings.task.labels or not _OF_LABELS & set(settings.metrics):
        return settings
    labels = labels_of(settings.task, cases.targets(samples))
    return replace(settings, task=replace(settings.task, labels=labels))


@contextmanager
def _label_file(scores: Path, selection: Selection) -> Iterator[IO[bytes]]:
    """Open labels.jsonl beside `scores`; a metric of the labels has it written, and without one
    there is none."""
    path = scores.with_name(LABELS)
    with store.replacing(path) as file:
        yield file
    if not selection.labels:
        path.unlink()


def _score_all(
    samples: Path, predictions: Path, settings: MetricsSettings, total: int
) -> Iterator[_Scored]:
    """Yield what is said of chunks, in order. The first case is scored here, so that what metrics
    load is loaded before processes fork, and shared."""
    lines = cases.lines(samples, predictions)
    first = _Chunk(samples, predictions, list(islice(lines, 1)))
    yield _score_chunk(settings, first)
    processes = settings.processes or cores()
    size = min(MOST, max(CHUNK, total // (_ROUNDS * processes)))  # handing one over takes a while
    chunks = (first._replace(lines=chunk) for chunk in iter(lambda: [*islice(lines, size)], []))
    work = functools.partial(_score_chunk, settings)
    if not settings.processes and CATALOGUE.keys() >= set(settings.metrics):
        begun = time.process_time()
        yield from map(work, islice(chunks, 1))
        if time.process_time() - begun < QUICK * size:
            processes = 1
    yield from ordered_map(work, chunks, processes)


def _score_chunk(settings: MetricsSettings, chunk: _Chunk) -> _Scored:
    selection = select(settings.metrics, settings.task)
    joined = list(map(cases.parser(chunk.samples, chunk.predictions), chunk.lines))
    labels = labelled(settings.task, joined) if selection.labels else []
    return _Scored(
        samples=len(joined),
        scores=_rows(score(selection.functions, case) for case in joined),
        sums=sum_counts(selection.corpus, joined),
        labels=_rows(labels),
    )


def _rows(records: Iterable[Score | LabelPair]) -> bytes:
    return b"".join(store.to_json(record) + b"\n" for record in records)
