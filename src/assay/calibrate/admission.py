"""Whether a judge is admitted: the lower bounds of its agreement with people clear the bars.

Each side is looked at by itself: a judge that is right on one side and guesses on the other agrees
well with the labels of both together. A bound is the lower end of a 95% interval:

- of weighted kappa and Spearman's correlation on Fisher's scale, the wider of the jackknife (Efron
  1982, "The Jackknife, the Bootstrap and Other Resampling Plans") and the error that a rank
  correlation has at least (Bonett and Wright 2000, Psychometrika 65); and never above 0.025^(1/n):
  where all of n labels agree, a share of 1 - 0.025^(1/n) may still not;
- of the share within one point, exact (Clopper and Pearson 1934, Biometrika 26).

Labels of one cluster are left out together, and the share counts by how alike they are (Korn and
Graubard 1998, Survey Methodology 24).

The bar of 0.4 is where agreement beyond chance ceases to be poor (Fleiss 1981, "Statistical Methods
for Rates and Proportions"; Cicchetti 1994, Psychological Assessment 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from assay.calibrate.together import design_effect, numbers
from assay.quantiles import beta_quantile, t_quantile
from assay.records import Measure
from assay.stats import rank_correlation, weighted_kappa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST = 10
_TAIL = 0.025
_PERFECT = 1 - 1e-12
_FEWEST = 0.5  # as few of clustered labels as the quantile is known for

Labelled = Sequence[tuple[float, float]]
Statistic = Callable[["Floats", "Floats"], "float | None"]


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What the lower bound of each measure of agreement must reach on each side. A bar of 0 asks
    for nothing."""

    weighted_kappa: Annotated[float, Ge(0), Lt(1)] = 0.4
    spearman: Annotated[float, Ge(0), Lt(1)] = 0.4
    within_one: Annotated[float, Ge(0), Lt(1)] = 0.0


def measures(pairs: Labelled, bars: Bars, names: Sequence[str] = ()) -> dict[str, Measure]:
    """Return each measure of agreement over one side's `pairs` (judge's score, label); `names` has
    the cluster of each, and is empty where nothing clusters."""
    return {
        "weighted_kappa": _correlation(weighted_kappa, pairs, bars.weighted_kappa, names),
        "spearman": _correlation(rank_correlation, pairs, bars.spearman, names),
        "within_one": _within_one(pairs, bars.within_one, names),
    }


def shortfalls(sides: Mapping[str, Mapping[str, Measure]]) -> tuple[str, ...]:
    """Return what keeps the judge from being admitted, a phrase each; none where it is."""
    return tuple(
        f"{side} {name.replace('_', ' ')} {_phrase(measure)}"
        for side, of_side in sides.items()
        for name, measure in of_side.items()
        if measure.bar and (measure.low is None or measure.low < measure.bar)
    )


def lower_bound(
    statistic: Statistic, judge: Floats, people: Floats, names: Sequence[str] = ()
) -> float | None:
    """Return the lower end of the 95% interval of a measure that is 1 where both agree. None where
    there are fewer than `LEAST` pairs, or clusters of them by `names`, or it hangs on one of them:
    without it nothing varies."""
    import numpy as np

    clusters = numbers(names)
    clusters = np.arange(len(judge)) if clusters is None else clusters
    apart = np.unique(clusters)
    n = len(apart)
    value = statistic(judge, people) if n >= LEAST else None
    if value is None:
        return None
    kept = [clusters != cluster for cluster in apart]
    without = [statistic(judge[others], people[others]) for others in kept]
    parts = np.array([_fisher(part) for part in without if part is not None])
    if len(parts) < n:
        return None
    spread = math.sqrt((n - 1) / n * float(((parts - parts.mean()) ** 2).sum()))
    error = max(spread, math.sqrt((1 + value**2 / 2) / (n - 3)))
    low = math.tanh(_fisher(value) - t_quantile(n - 1, 1 - _TAIL) * error)
    return min(low, float(_TAIL ** (1 / n)))


def _correlation(
    statistic: Statistic, pairs: Labelled, bar: float, names: Sequence[str]
) -> Measure:
    import numpy as np

    judge, people = (np.array([pair[at] for pair in pairs], dtype=np.float64) for at in (0, 1))
    value = statistic(judge, people) if pairs else None
    return Measure(value=value, low=lower_bound(statistic, judge, people, names), bar=bar)


def _within_one(pairs: Labelled, bar: float, names: Sequence[str]) -> Measure:
    if not pairs:
        return Measure(value=None, low=None, bar=bar)
    close = [float(abs(score - label) <= 1) for score, label in pairs]
    alike = design_effect(close, names)
    hits, n = sum(close) / alike, len(close) / alike
    low = float(beta_quantile(hits, n - hits + 1, _TAIL)) if hits >= _FEWEST else 0.0
    return Measure(value=sum(close) / len(close), low=low if n >= LEAST else None, bar=bar)


def _fisher(value: float) -> float:
    return math.atanh(max(-_PERFECT, min(_PERFECT, value)))


def _phrase(measure: Measure) -> str:
    if measure.value is None or measure.low is None:
        return f"has no bound (too few labels, or all alike), and {measure.bar:g} is asked for"
    return (
        f"{measure.value:.2f} has the lower bound {measure.low:.2f}, and {measure.bar:g} is asked "
        "for"
    )
