"""The labels of a side: macro-f1 and its like with their intervals, and which labels are taken for
which.

Such a number is the mean over the labels of ratios of two sums over the samples, R = a S / B. To
first order it varies as the mean of l(i) = M + n / L sum of (a s(i) - R b(i)) / B over the L labels
does, which is M itself: so the intervals are those of a mean (the linearised ratio: Cochran 1977,
Sampling Techniques, 6.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from assay.metrics import CATALOGUE, LabelFunction
from assay.records import Comparison, Metric, MetricSpec
from assay.report.contents import Confusion
from assay.report.files import Labels
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import SideScores, Specs, compare, summarise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_FUNCTIONS = {
    name: metric.function
    for name, metric in CATALOGUE.items()
    if isinstance(metric.function, LabelFunction)
}
_WHOLE = 100.0

Ends = TypeVar("Ends", Metric, Comparison)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """What each sample adds to a metric: its l(i), NaN where it has none, and the least and the
    greatest that it can be."""

    values: Floats
    low: float
    high: float


def macros(side: SideRun, specs: Specs) -> list[Metric]:
    """Return the metrics of a side's labels; none where these were not read."""
    return [metric for name in asked_of(side) for metric in _metric(side, name, specs)]


def macro_comparisons(run: EvaluatedRun, specs: Specs, *, detect: bool = True) -> list[Comparison]:
    """Return how the metrics of the labels differ, over the samples that both sides have compared
    labels of; better are those that only the candidate has right."""
    if run.baseline is None or run.baseline.labels is None or run.candidate.labels is None:
        return []
    before, now = run.baseline.labels, run.candidate.labels
    both, names = before.compared & now.compared, set(asked_of(run.baseline))
    return [
        settled(comparison, before, now)
        for name in asked_of(run.candidate)
        if name in names
        for comparison in _differences(run.sides, name, both, specs, detect)
    ]


def settled(comparison: Comparison, before: Labels, now: Labels) -> Comparison:
    """Return a comparison of what samples add to a metric as one of the metric itself: better are
    those that only now have the right label."""
    both = before.compared & now.compared
    better = int((now.right & ~before.right & both).sum())
    worse = int((before.right & ~now.right & both).sum())
    equal = int(both.sum()) - better - worse
    comparison = _clipped(comparison, -_WHOLE)
    return replace(comparison, better=better, equal=equal, worse=worse)


def confusions(run: EvaluatedRun) -> Mapping[str, Confusion]:
    """Return which labels each side's answers have, by those of their targets."""
    return {side.side: _confusion(side.labels) for side in run.sides if side.labels}


def asked_of(side: SideRun) -> list[str]:
    """Return the metrics of labels that a side was asked for; a run without specs.jsonl does not
    say."""
    if side.labels is None:
        return []
    asked = {spec.name for spec in side.specs} or set(_FUNCTIONS)
    return [name for name in _FUNCTIONS if name in asked]


def _metric(side: SideRun, name: str, specs: Specs) -> Iterator[Metric]:
    assert side.labels  # noqa: S101  or nothing is wanted
    linear = linearised(side.labels, name, side.labels.compared)
    scores = _scores(side, name, linear)
    for metric in summarise(side.side, scores, (), {name: on_scale(specs[name], [linear])}):
        yield _clipped(metric, 0.0)


def _differences(
    sides: Sequence[SideRun], name: str, both: Bools, specs: Specs, detect: bool
) -> list[Comparison]:
    linear = [linearised(side.labels, name, both) for side in sides if side.labels]
    pair = [_scores(side, name, each) for side, each in zip(sides, linear, strict=True)]
    return compare(pair[0], pair[1], {name: on_scale(specs[name], linear)}, detect=detect)


def _scores(side: SideRun, name: str, linear: Linear) -> SideScores:
    causes = {name: side.labels.causes} if side.labels else {}
    return replace(side.scores, values={name: linear.values}, causes=causes)


def on_scale(spec: MetricSpec, linear: Sequence[Linear]) -> MetricSpec:
    """Return what a metric is, with the range of what a sample can add to it for its scale."""
    scale = (min(each.low for each in linear), max(each.high for each in linear))
    return replace(spec, scale=scale)


def _clipped(ends: Ends, least: float) -> Ends:
    if ends.low is None or ends.high is None:
        return ends
    return replace(ends, low=max(least, ends.low), high=min(_WHOLE, ends.high))


def linearised(labels: Labels, name: str, among: Bools) -> Linear:
    """Return l(i) of the samples `among` which the metric `name` is taken."""
    import numpy as np

    function, values = _FUNCTIONS[name], np.full(len(among), np.nan)
    wanted, given = labels.wanted[among], labels.given[among]
    n, size = len(wanted), len(labels.names) + 1  # the last place is of answers without a label
    if not n:
        return Linear(values=values, low=0.0, high=_WHOLE)
    right = (wanted == given).astype(np.float64)
    targets = np.bincount(wanted, minlength=size)
    weight = function.targets + function.answers
    below = function.targets * targets + function.answers * np.bincount(given, minlength=size)
    hits = weight * np.bincount(wanted, weights=right, minlength=size)
    counts = (targets > 0) & (below > 0)
    each = np.where(counts, 1 / np.maximum(below, 1), 0.0)
    ratio = hits * each
    share = _WHOLE * n / (targets > 0).sum()
    mean = _WHOLE * ratio.sum() / (targets > 0).sum()
    loss = ratio * each
    values[among] = mean + share * (
        weight * right * each[wanted]
        - function.targets * loss[wanted]
        - function.answers * loss[given]
    )
    low = mean - share * weight * loss.max()
    high = mean + share * weight * (each * (1 - ratio)).max()
    return Linear(values=values, low=min(0.0, low), high=max(_WHOLE, high))


def _confusion(labels: Labels) -> Confusion:
    import numpy as np

    size = len(labels.names) + 1
    cells = labels.wanted[labels.compared] * size + labels.given[labels.compared]
    counts = np.bincount(cells, minlength=size * size).reshape(size, size)[:-1]
    right, targets, answers = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)[:-1]
    return Confusion(
        labels=labels.names,
        counts=tuple(tuple(row) for row in counts.tolist()),
        precision=_shares(right, answers),
        recall=_shares(right, targets),
        f1=_shares(2 * right, targets + answers),
    )


def _shares(parts: Ints, wholes: Ints) -> tuple[float | None, ...]:
    pairs = zip(parts.tolist(), wholes.tolist(), strict=True)
    return tuple(_WHOLE * part / whole if whole else None for part, whole in pairs)
