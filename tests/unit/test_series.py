"""Sums by powers say what sums over the draws say, and an interval is the same by either."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as reference

from assay.intervals import interval, saddlepoint, series
from assay.intervals.draws import draws_of
from assay.intervals.evidence import Tail
from assay.quantiles import LARGE, t_score

Floats = NDArray[np.float64]
SIZES = (2, 12, 60, 600, 3_000)
SCALE = (-100.0, 100.0)


def sample(kind: str, n: int) -> Floats:
    random = np.random.default_rng(n)
    draws = {
        "normal": random.normal(3, 25, n).clip(*SCALE),
        "skewed": np.minimum(random.exponential(8, n), 100),
        "heavy": random.standard_t(2, n).clip(*SCALE),
        "rare": np.where(random.random(n) < 0.02, -100.0, random.normal(1, 0.1, n)),
        "rates": random.choice([-100.0, 0.0, 100.0], n, p=[0.05, 0.8, 0.15]),
        "judge": random.integers(-9, 10, n).astype(float),
        "same": np.full(n, 7.0),
    }
    return draws[kind]


KINDS = ("normal", "skewed", "heavy", "rare", "rates", "judge", "same")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", SIZES)
def test_powers_say_what_all_draws_say(kind: str, n: int) -> None:
    draws = draws_of(sample(kind, n), None)
    powers, bounded = series.powers_of(draws.sums, draws.counts), draws.with_end(-100.0, 1.0)
    ends = powers.and_one(-100.0)
    for distance in (0.3, 1.0, 2.0, 3.5, 8.0):
        x = draws.mean - distance * draws.error
        plain = saddlepoint.resampled(draws.beyond(x), draws.counts)
        assert series.resampled(powers, x) in (None, pytest.approx(plain, rel=1e-8))
        bound = saddlepoint.weighted(bounded.beyond(x), bounded.counts)
        # at the mean itself the sums over all draws are rounded
        wanted = pytest.approx(bound, rel=1e-8, abs=1e-5 * (abs(bound) < 0.05))
        assert series.weighted(ends, x) in (None, wanted)


@pytest.mark.parametrize("kind", ["normal", "skewed", "judge", "rates"])
def test_many_draws_are_within_reach_of_their_powers(kind: str) -> None:
    draws = draws_of(sample(kind, 3_000), None)
    powers = series.powers_of(draws.sums, draws.counts)
    x = draws.mean - 2 * draws.error
    assert series.resampled(powers, x) is not None
    assert series.weighted(powers.and_one(float(draws.sums.min())), x) is not None
    assert series.resampled(powers, draws.mean + draws.error) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scale", [None, SCALE])
def test_an_interval_is_the_same_without_powers(
    kind: str, n: int, scale: tuple[float, float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, rates = sample(kind, n), kind == "rates" and scale is not None
    quick = interval(values, scale, rates=rates)
    monkeypatch.setattr(Tail, "_powers", None)
    slow = interval(values, scale, rates=rates)
    width = slow.high - slow.low
    assert quick.ends == pytest.approx(slow.ends, abs=1e-9 * width, rel=0)
    assert quick.p == pytest.approx(slow.p, abs=1e-7)
    assert quick.method == slow.method


def test_the_sums_are_those_of_the_powers() -> None:
    values = np.array([1.0, 2.0, 6.0])
    powers = series.powers_of(values, np.array([2.0, 1.0, 1.0]))
    assert (powers.centre, powers.reach) == (2.5, 3.5)
    every = (np.array([1.0, 1.0, 2.0, 6.0]) - 2.5) / 3.5
    assert powers.sums == pytest.approx([float((every**k).sum()) for k in range(36)])
    more = (np.array([1.0, 1.0, 2.0, 6.0, -9.0]) - 2.5) / 11.5
    sums = powers.and_one(-9.0).sums
    assert sums == pytest.approx([float((more**k).sum()) for k in range(36)], abs=1e-15)


@pytest.mark.parametrize("freedom", [1, 7, 60.5, 200, LARGE, LARGE + 0.5, 3_000, 90_000])
def test_a_normal_score_is_as_far_out_as_the_t(freedom: float) -> None:
    for distance in (0.0, 1e-3, 0.4, 1.96, 3.0, 5.5, 9.9, 10.1, 20.0):
        wanted = reference.norm.isf(reference.t.sf(distance, freedom))
        assert t_score(freedom, distance) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
