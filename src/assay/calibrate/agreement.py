"""How far judge and people agree, and what the judge's means are once its bias is taken out.

The corrected mean of scores is the difference estimator of two-phase sampling (Cochran 1977,
"Sampling Techniques", chapter 12; prediction-powered inference, arXiv 2301.09633, with lambda 1):
the judge's mean over all answers, plus the mean of label minus score over those labelled. The
corrected rate of passing answers is that of arXiv 2511.21140, from the judge's sensitivity and
specificity, with its interval, which counts the uncertainty of both.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, variance
from typing import TYPE_CHECKING

from assay.records import Agreement, Corrected
from assay.stats import interval, rank_correlation, weighted_kappa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Z = NormalDist().inv_cdf(0.975)


def compare(
    pairs: Mapping[str, Sequence[tuple[float, float]]],
    scores: Mapping[str, Sequence[float]],
    pass_at: float,
) -> Agreement:
    """Return the agreement over `pairs`, side -> (judge's score, label) of each labelled answer,
    of which there is at least one; `scores` is side -> the judge's score of every answer."""
    every = [pair for of_side in pairs.values() for pair in of_side]
    judge, people = [pair[0] for pair in every], [pair[1] for pair in every]
    gaps = _array([score - label for score, label in every])
    low, high = interval(gaps) if len(gaps) > 1 else (None, None)
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
        means={side: corrected_mean(scores[side], pairs[side]) for side in pairs},
        rates={side: corrected_rate(scores[side], every, pass_at) for side in pairs},
    )


def kappa(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Cohen's kappa, None where chance alone would agree on everything."""
    n = len(left)
    counts, others = Counter(left), Counter(right)
    chance = sum(counts[value] * others[value] for value in counts) / n**2
    seen = fmean(a == b for a, b in zip(left, right, strict=True))
    return None if chance == 1 else (seen - chance) / (1 - chance)


def corrected_mean(scores: Sequence[float], pairs: Sequence[tuple[float, float]]) -> Corrected:
    """Return the mean of `scores` corrected by `pairs` (score, label) on a random part of them.

    The variance is that of two-phase sampling: var(label) / N + (1 - n / N) var(label - score) / n.
    """
    total, n = len(scores), len(pairs)
    judge = fmean(scores)
    if n < 2:
        return Corrected(n=total, labels=n, judge=judge, value=None, low=None, high=None)
    value = judge + fmean(label - score for score, label in pairs)
    spread = variance([label for _, label in pairs]) / total
    spread += (1 - n / total) * variance([label - score for score, label in pairs]) / n
    half = _Z * math.sqrt(spread)
    return Corrected(
        n=total, labels=n, judge=judge, value=value, low=value - half, high=value + half
    )


def corrected_rate(
    scores: Sequence[float], pairs: Sequence[tuple[float, float]], pass_at: float
) -> Corrected:
    """Return the share of `scores` of at least `pass_at`, corrected by the sensitivity and the
    specificity that the judge has on `pairs` (score, label); no value where it tells passing from
    failing no better than chance, or the labels hold only one of the two."""
    n, judge = len(scores), fmean(score >= pass_at for score in scores)
    good = [score >= pass_at for score, label in pairs if label >= pass_at]
    bad = [score < pass_at for score, label in pairs if label < pass_at]
    if not good or not bad or fmean(good) + fmean(bad) <= 1:
        return Corrected(n=n, labels=len(pairs), judge=judge, value=None, low=None, high=None)
    value = _unbiased(judge, fmean(bad), fmean(good))
    low, high = _rate_interval(judge, fmean(bad), fmean(good), n, len(bad), len(good))
    return Corrected(n=n, labels=len(pairs), judge=judge, value=value, low=low, high=high)


def _unbiased(rate: float, specificity: float, sensitivity: float) -> float:
    return _share((rate + specificity - 1) / (specificity + sensitivity - 1))


def _rate_interval(
    rate: float, specificity: float, sensitivity: float, n: float, bad: float, good: float
) -> tuple[float, float]:
    """The interval of arXiv 2511.21140: each share is shrunk a little, so that one of 0 or 1 has a
    variance too."""
    rate, n = (n * rate + _Z**2 / 2) / (n + _Z**2), n + _Z**2
    specificity, bad = (bad * specificity + 1) / (bad + 2), bad + 2
    sensitivity, good = (good * sensitivity + 1) / (good + 2), good + 2
    power = specificity + sensitivity - 1
    if power <= 0:
        return 0.0, 1.0
    value = (rate + specificity - 1) / power
    of_bad = specificity * (1 - specificity) / bad
    of_good = sensitivity * (1 - sensitivity) / good
    shift = 2 * _Z**2 * (value * of_good - (1 - value) * of_bad)
    spread = rate * (1 - rate) / n + (1 - value) ** 2 * of_bad + value**2 * of_good
    half = _Z * math.sqrt(spread) / power
    return _share(value + shift - half), _share(value + shift + half)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(values, dtype=np.float64)
