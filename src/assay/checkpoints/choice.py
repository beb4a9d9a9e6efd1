"""The choice: scores of each checkpoint on the selection samples -> the best, and by how much.

The best has the best mean over the samples that all have a score for; of several with the same mean
it is the earliest. Whatever is said of it here is flattered by having been chosen; what the
evaluation samples say of it is not, since they had no part in the choice.

How far each is from the best is said with all pairs of checkpoints in view, as which is the best is
known only after a look at all: each interval has the confidence 1 - 0.05 / pairs and each p is
multiplied by the pairs (Bonferroni; Dunn 1961, "Multiple Comparisons Among Means", JASA 56).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay.records import Comparison, Direction, Metric, MetricSpec
from assay.stats import SideScores, compare, paired_difference, summarise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALPHA = 0.05
COVERED = 0.9
"""The share of the scores of the most covered checkpoint that one must have to be chosen: who fails
on what is hard would look good on the rest."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The `best` step, over how many `shared` samples, each step's `metrics` and its `differences`
    from the best (intervals and p as the module says), and why some were `barred`."""

    best: int
    shared: int
    metrics: Mapping[int, Metric]
    differences: Mapping[int, Comparison]
    barred: Mapping[int, str]

    @property
    def alike(self) -> tuple[int, ...]:
        """The steps that are not shown to be worse than the best one."""
        return tuple(
            step
            for step, difference in self.differences.items()
            if step not in self.barred and (difference.p is None or difference.p >= ALPHA)
        )


def rank(scores: Mapping[int, SideScores], spec: MetricSpec) -> Ranking:
    """Return how the checkpoints, by their step, compare. Raises ValueError where no two samples
    are scored for any of them."""
    values = {step: scores[step].values[spec.name] for step in sorted(scores)}
    barred = _barred(values)
    able = {step: array for step, array in values.items() if step not in barred}
    best, shared = best_of(able, spec.direction)
    pairs = max(1, len(scores) * (len(scores) - 1) // 2)
    return Ranking(
        best=best,
        shared=shared,
        metrics={step: _metric(scores[step], spec) for step in values},
        differences=dict(_differences(scores, spec, best, pairs)),
        barred=barred,
    )


def best_of(values: Mapping[int, Floats], direction: Direction) -> tuple[int, int]:
    """Return the step with the best mean over the samples that all have a value for, the earliest
    of those with the same, and over how many samples. Raises ValueError where there are none."""
    import numpy as np

    shared = np.all([np.isfinite(array) for array in values.values()], axis=0) if values else []
    if not np.any(shared):
        raise ValueError("no sample is scored for every checkpoint")
    sign = -1 if direction == "lower" else 1
    steps = sorted(values)
    best = steps[0]
    for step in steps[1:]:
        # sums in another order are the same mean
        gain = paired_difference(
            values[best][shared].mean()[None], values[step][shared].mean()[None]
        )
        best = step if sign * gain[0] > 0 else best
    return best, int(np.sum(shared))


def _barred(values: Mapping[int, Floats]) -> dict[int, str]:
    import numpy as np

    counts = {step: int(np.isfinite(array).sum()) for step, array in values.items()}
    most = max(counts.values(), default=0)
    return {
        step: f"scored on {count:,} samples, where another one is on {most:,}"
        for step, count in counts.items()
        if count < COVERED * most
    }


def _metric(scores: SideScores, spec: MetricSpec) -> Metric:
    (metric,) = summarise("candidate", _only(scores, spec.name), (), {spec.name: spec})
    return metric


def _only(scores: SideScores, name: str) -> SideScores:
    causes = {name: scores.causes[name]} if name in scores.causes else {}
    return replace(scores, values={name: scores.values[name]}, causes=causes)


def _differences(
    scores: Mapping[int, SideScores], spec: MetricSpec, best: int, pairs: int
) -> Sequence[tuple[int, Comparison]]:
    of_the_best, found = _only(scores[best], spec.name), []
    for step in sorted(set(scores) - {best}):
        own = _only(scores[step], spec.name)
        for each in compare(of_the_best, own, {spec.name: spec}, level=1 - ALPHA / pairs):
            corrected = None if each.p is None else min(1.0, pairs * each.p)
            found.append((step, replace(each, p=corrected)))
    return found
