"""The quantiles are scipy's, over all that intervals ask of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from assay.quantiles import LARGE, beta_quantile, t_outside, t_quantile

SHARES = (1e-6, 0.025, 0.5, 0.8, 0.975, 1 - 1e-6)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("n", [1, 2, 10, 50, 300, 1_500, 100_000])
def test_the_bounds_of_a_share_are_scipys(n: int, share: float) -> None:
    count = np.unique(np.linspace(0, n - 1, 40).astype(int))
    wanted = special.betaincinv(count + 1, n - count, share)
    precise = 1e-9 if n <= LARGE else 2e-5
    assert beta_quantile(count + 1, n - count, share) == pytest.approx(wanted, rel=precise)


@pytest.mark.parametrize("share", [0.025, 0.975])
@pytest.mark.parametrize("n", [1_001, 2_000, 10_000, 1_000_000])
def test_where_the_approximation_begins_nothing_jumps(n: int, share: float) -> None:
    count = np.arange(LARGE - 3, min(LARGE + 3, n))
    wanted = special.betaincinv(count + 1, n - count, share)
    assert beta_quantile(count + 1, n - count, share) == pytest.approx(wanted, rel=5e-6)


@given(
    a=st.floats(0.5, 500),
    b=st.floats(0.5, 5_000),
    share=st.floats(1e-6, 1 - 1e-6),
)
@settings(deadline=None)
def test_any_beta_is_scipys(a: float, b: float, share: float) -> None:
    wanted = special.betaincinv(a, b, share)
    assert beta_quantile(a, b, share) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("share", [0.6, 0.9, 0.975, 0.995])
@pytest.mark.parametrize("freedom", [1, 2, 3, 10, 49, 999, 100_000])
def test_students_t_is_scipys(freedom: int, share: float) -> None:
    wanted = special.stdtrit(freedom, share)
    assert t_quantile(freedom, share) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("distance", [0.0, 1e-8, 1e-6, 1e-4, 0.1, 1.0, 2.5, 10.0, 80.0])
@pytest.mark.parametrize("freedom", [1, 4, 29, 500, 3_000, 8_192, 100_000])
def test_the_p_value_of_a_t_is_scipys(freedom: int, distance: float) -> None:
    wanted = 2 * stats.t.sf(distance, freedom)
    assert t_outside(freedom, distance) == pytest.approx(wanted, rel=1e-8, abs=1e-300)


@given(freedom=st.floats(1, 100_000), distance=st.floats(0, 30))
def test_what_lies_outside_of_t_is_scipys(freedom: float, distance: float) -> None:
    wanted = 2 * special.stdtr(freedom, -distance)
    assert t_outside(freedom, distance) == pytest.approx(wanted, rel=1e-7, abs=1e-300)
