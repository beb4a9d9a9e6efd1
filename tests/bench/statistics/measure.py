"""Simulation: how often an interval misses, how wide it is, and what a gate makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import stats as reference

from assay.intervals import detectable, interval
from assay.intervals.evidence import Tail, tails_of
from tests.bench.statistics.cases import JUDGE, Case, Draw, Floats, Scale, clumped

SHOWN = float(reference.norm.ppf(0.975))
WIDTHS = 40
DIMENSIONS = 5


@dataclass(frozen=True, kw_only=True)
class Misses:
    """Shares of replications: the interval wholly above the truth (a false GO where that loss is
    just what is allowed), wholly below, and its median width over Student's t's, not a number where
    none was asked for."""

    above: float
    below: float
    width: float


def clusters_of(case: Case, n: int) -> np.typing.NDArray[np.int64] | None:
    """Return the cluster of each of `n` values; None where each is alone."""
    return np.arange(n) // case.cluster if case.cluster > 1 else None


def misses(case: Case, n: int, replications: int, widths: int = WIDTHS) -> Misses:
    """Return how often the interval of `n` values misses the truth: an end lies beyond it exactly
    where the score there is above 1.96."""
    random, clusters = np.random.default_rng(n), clusters_of(case, n)
    above = below = 0
    ratios = []
    for replication in range(replications):
        values = case.draw(random, n)
        low, high = tails_of(values, case.scale, clusters, case.rates)
        above += low.score(case.truth) > SHOWN
        below += high.score(-case.truth) > SHOWN
        if replication < widths and np.ptp(values):
            ratios.append(width(values, case, clusters))
    width_ = float(np.median(ratios)) if ratios else math.nan
    return Misses(above=above / replications, below=below / replications, width=width_)


def width(values: Floats, case: Case, clusters: np.typing.NDArray[np.int64] | None) -> float:
    """Return the width of an interval over that of Student's t, clusters left aside."""
    low, high = interval(values, case.scale, clusters=clusters, rates=case.rates).ends
    n = len(values)
    t = 2 * reference.t.ppf(0.975, n - 1) * reference.sem(values)
    return float((high - low) / t)


def power(
    losing: Callable[[float], Draw],
    loss: float,
    scale: Scale | None,
    rates: bool,
    n: int,
    replications: int,
) -> tuple[float, float]:
    """Return the mean of the detectable differences that are reported at a true `loss`, and how
    often one is shown where just that is lost."""
    random = np.random.default_rng(n)
    reported = [
        detectable(losing(loss)(random, n), scale, rates=rates) for _ in range(replications // 4)
    ]
    wanted = float(np.mean(reported))
    shown = 0
    for _ in range(replications):
        low, high = tails_of(losing(wanted)(random, n), scale, None, rates)
        shown += low.score(0.0) > SHOWN or high.score(0.0) > SHOWN
    return wanted, shown / replications


def beside_t(
    losing: Callable[[float], Draw], scale: Scale, n: int, replications: int
) -> tuple[float, float]:
    """Return how often a loss is shown, by Student's paired t and by the interval, that the former
    shows in about four runs of five."""
    random = np.random.default_rng(n)
    loss = 2.8 * float(losing(0.0)(random, 100_000).std()) * (1 + 1 / n) / math.sqrt(n)
    by_t = shown = 0
    for _ in range(replications):
        values = losing(loss)(random, n)
        by_t += reference.ttest_1samp(values, 0.0).pvalue <= 0.05
        low, high = tails_of(values, scale, None, rates=False)
        shown += low.score(0.0) > SHOWN or high.score(0.0) > SHOWN
    return by_t / replications, shown / replications


def gates(n: int, allowed: float, loss: float, replications: int) -> tuple[float, float]:
    """Return how often gates of one rule and of five are GO, each allowing that loss of a judge's
    dimension and the first one losing `loss`; the dimensions share half of what moves them."""
    random = np.random.default_rng(n)
    one = five = 0
    for _ in range(replications):
        sides = _dimensions(random, n, loss)
        decisions = [side.score(-allowed) > SHOWN for side in sides]
        one += decisions[0]
        five += all(decisions)
    return one / replications, five / replications


def _dimensions(random: Generator, n: int, loss: float) -> list[Tail]:
    shared = clumped(random, n)
    sides = []
    for dimension in range(DIMENSIONS):
        values = np.where(random.random(n) < 0.5, shared, clumped(random, n))
        if not dimension:
            values = np.where(random.random(n) < loss / 9, -9.0, values)
        sides.append(tails_of(values, JUDGE, None, rates=False)[0])
    return sides
