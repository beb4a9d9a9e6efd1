"""How far judge and people agree, and what the judge's numbers are once its bias is taken out.

Mean and rate are corrected by the difference estimator of two-phase sampling (Cochran 1977,
"Sampling Techniques", chapter 12; prediction-powered inference, arXiv 2301.09633, with lambda 1):
the judge's mean over all answers of a side, plus the mean of label minus score over those of the
same side that are labelled; for a rate both are 1 where they pass and 0 where not. One side's
labels never correct the other: a judge may be kinder to one of them. The interval puts together
that of the difference and that of the mean over all answers (MOVER).
Answers to samples of one cluster count by how alike they are (together.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING

from assay.calibrate.admission import LEAST, Bars, measures, shortfalls
from assay.calibrate.together import ALONE, Together, design_effect, numbers
from assay.intervals import combined, interval, wilson
from assay.records import Agreement, Corrected
from assay.stats import difference_interval, rank_correlation, weighted_kappa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Z = NormalDist().inv_cdf(0.975)


def compare(
    pairs: Mapping[str, Sequence[tuple[float, float]]],
    scores: Mapping[str, Sequence[float]],
    pass_at: float,
    scale: tuple[float, float],
    bars: Bars | None = None,
    identity: str = "",
    clusters: Mapping[str, Together] | None = None,
) -> Agreement:
    """Return the agreement over `pairs`, side -> (judge's score, label) of each labelled answer,
    of which there is at least one; `scores` is side -> the judge's score of every answer, and
    `scale` the rubric's lowest and highest score. The judge of this `identity` is admitted where
    each side that it scored clears the `bars`. `clusters` is side -> what belongs together."""
    clusters = clusters or {}
    every = [pair for of_side in pairs.values() for pair in of_side]
    judge, people = [pair[0] for pair in every], [pair[1] for pair in every]
    gaps = _array([score - label for score, label in every])
    reach = scale[1] - scale[0]
    labelled = [name for side in pairs for name in clusters.get(side, ALONE).pairs]
    around = interval(gaps, (-reach, reach), clusters=numbers(labelled)) if len(gaps) > 1 else None
    low, high = around.ends if around else (None, None)
    of = {side: clusters.get(side, ALONE) for side in scores}
    means = {side: corrected_mean(scores[side], pairs[side], scale, of[side]) for side in pairs}
    rates = {side: corrected_rate(scores[side], pairs[side], pass_at, of[side]) for side in pairs}
    sides = {side: measures(pairs.get(side, ()), bars or Bars(), of[side].pairs) for side in scores}
    lacking = shortfalls(sides)
    return Agreement(
        n=len(every),
        exact=fmean(score == label for score, label in every),
        within_one=fmean(abs(score - label) <= 1 for score, label in every),
        kappa=kappa(judge, people),
        weighted_kappa=weighted_kappa(_array(judge), _array(people)),
        spearman=rank_correlation(_array(judge), _array(people)),
        bias=float(gaps.mean()),
        bias_low=low,
        bias_high=high,
        pass_at=pass_at,
        means=means,
        rates=rates,
        mean_difference=difference(means),
        rate_difference=difference(rates),
        identity=identity,
        admitted=not lacking,
        shortfalls=lacking,
        sides=sides,
    )


def difference(sides: Mapping[str, Corrected]) -> Corrected | None:
    """Return the candidate's corrected number minus the baseline's, None without both sides.

    The two are put together as independent ones (MOVER): each side has labels of its own, and
    answers to the same samples, which go up and down together, make the interval too wide, not too
    narrow."""
    before, now = sides.get("baseline"), sides.get("candidate")
    if before is None or now is None:
        return None
    n, labels = min(before.n, now.n), before.labels + now.labels
    judge, ends = now.judge - before.judge, [_ends(before), _ends(now)]
    if None in ends:
        return Corrected(n=n, labels=labels, judge=judge, value=None, low=None, high=None)
    first, second = filter(None, ends)
    low, high = difference_interval(first, second)
    return Corrected(
        n=n, labels=labels, judge=judge, value=second[0] - first[0], low=low, high=high
    )


def _ends(number: Corrected) -> tuple[float, float, float] | None:
    if number.value is None or number.low is None or number.high is None:
        return None
    return number.value, number.low, number.high


def kappa(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Cohen's kappa, None where chance alone would agree on everything."""
    n = len(left)
    counts, others = Counter(left), Counter(right)
    chance = sum(counts[value] * others[value] for value in counts) / n**2
    seen = fmean(a == b for a, b in zip(left, right, strict=True))
    return None if chance == 1 else (seen - chance) / (1 - chance)


def corrected_mean(
    scores: Sequence[float],
    pairs: Sequence[tuple[float, float]],
    scale: tuple[float, float],
    together: Together = ALONE,
) -> Corrected:
    """Return the mean of `scores` corrected by `pairs` (score, label) on a random part of them,
    without a value where these are fewer than `LEAST`; all lie on `scale`, and so does the mean.
    What belongs `together` counts by how alike it is."""
    judge = fmean(scores)
    if len(pairs) < LEAST:
        return _uncorrected(judge, scores, pairs)
    alike = design_effect(scores, together.scores)
    half = _Z * stdev([label for _, label in pairs]) / math.sqrt(len(scores) / alike)
    gap, below, above = _gap(scores, pairs, scale[1] - scale[0], together)
    value = min(max(judge + gap, scale[0]), scale[1])
    low, high = combined(value, (below, half), (above, half))
    return Corrected(
        n=len(scores),
        labels=len(pairs),
        judge=judge,
        value=value,
        low=max(low, scale[0]),
        high=min(high, scale[1]),
    )


def corrected_rate(
    scores: Sequence[float],
    pairs: Sequence[tuple[float, float]],
    pass_at: float,
    together: Together = ALONE,
) -> Corrected:
    """Return the share of `scores` of at least `pass_at` corrected by `pairs` (score, label) on a
    random part of them, without a value where these are fewer than `LEAST`. What belongs
    `together` counts by how alike it is."""
    passing = [float(score >= pass_at) for score in scores]
    judge = fmean(passing)
    if len(pairs) < LEAST:
        return _uncorrected(judge, scores, pairs)
    passed = [(float(score >= pass_at), float(label >= pass_at)) for score, label in pairs]
    gap, below, above = _gap(passing, passed, 1.0, together)
    value = _share(judge + gap)
    least, most = wilson(value, len(scores) / design_effect(passing, together.scores))
    low, high = combined(value, (below, value - least), (above, most - value))
    return Corrected(
        n=len(scores),
        labels=len(pairs),
        judge=judge,
        value=value,
        low=_share(low),
        high=_share(high),
    )


def _uncorrected(
    judge: float, scores: Sequence[float], pairs: Sequence[tuple[float, float]]
) -> Corrected:
    return Corrected(n=len(scores), labels=len(pairs), judge=judge, value=None, low=None, high=None)


def _gap(
    scores: Sequence[float],
    pairs: Sequence[tuple[float, float]],
    reach: float,
    together: Together,
) -> tuple[float, float, float]:
    """Return the mean of label minus score, and how far below and above it its interval reaches:
    less far the more of all answers are labelled, not at all where all are."""
    gaps = _array([label - score for score, label in pairs])
    around = interval(gaps, (-reach, reach), clusters=numbers(together.pairs))
    mean, (low, high) = float(gaps.mean()), around.ends
    left = math.sqrt(1 - len(pairs) / len(scores))
    return mean, left * (mean - low), left * (high - mean)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(values, dtype=np.float64)
