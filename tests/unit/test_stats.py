import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as reference

from assay import stats
from assay.records import Direction, MetricSpec, Score, Total

IDS = {name: at for at, name in enumerate("abcdef")}


def scores(*rows: Score) -> stats.SideScores:
    return stats.collect(IDS, rows)


def values(*numbers: float) -> stats.SideScores:
    return scores(
        *(Score(id=id_, values={"m": value}) for id_, value in zip(IDS, numbers, strict=False))
    )


def sample(kind: str, n: int) -> NDArray[np.float64]:
    random = np.random.default_rng(n)
    draws = {
        "normal": random.normal(50, 12, n),
        "skewed": np.minimum(random.exponential(8, n), 100),
        "zeros": random.choice([0.0, 0.0, 0.0, 100.0], n),
        "judge": random.integers(1, 11, n).astype(float),
    }
    return draws[kind]


@pytest.mark.parametrize("kind", ["normal", "skewed", "zeros", "judge"])
@pytest.mark.parametrize("n", [12, 60, 400])
def test_the_bootstrap_interval_is_scipys(kind: str, n: int) -> None:
    data = sample(kind, n)
    expected = reference.bootstrap(
        (data,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = stats.interval(data)
    # both resample: their ends differ by a few percent of the interval's width
    allowed = 0.06 * (expected.high - expected.low)
    assert low == pytest.approx(expected.low, abs=allowed)
    assert high == pytest.approx(expected.high, abs=allowed)


def test_a_large_sample_has_the_normal_interval() -> None:
    data = sample("skewed", 5_000)
    expected = reference.norm.interval(0.95, loc=data.mean(), scale=reference.sem(data))
    assert stats.interval(data) == pytest.approx(expected)


def test_where_the_method_changes_the_interval_hardly_does() -> None:
    data = sample("judge", stats.BOOTSTRAP_MAX)
    normal = reference.norm.interval(0.95, loc=data.mean(), scale=reference.sem(data))
    assert stats.interval(data) == pytest.approx(normal, abs=0.03 * (normal[1] - normal[0]))


def test_the_same_scores_have_the_same_interval() -> None:
    assert stats.interval(sample("judge", 40)) == stats.interval(sample("judge", 40))


def test_equal_scores_have_an_interval_of_no_width() -> None:
    assert stats.interval(np.full(7, 0.1)) == pytest.approx((0.1, 0.1))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_an_interval_is_ordered_and_inside_the_data(numbers: list[float]) -> None:
    data = np.array(numbers)
    low, high = stats.interval(data)
    slack = 1e-9 * (1 + np.abs(data).max())
    assert data.min() - slack <= low <= high + slack <= data.max() + 2 * slack


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        low, high = stats.interval(random.exponential(1.0, 80))
        hits += low <= 1.0 <= high
    # 190 are expected; fewer than 180 would be 2% likely for a 95% interval
    assert hits >= 180


def test_a_metric_counts_what_it_leaves_out_by_cause() -> None:
    side = scores(
        Score(id="a", values={"m": 2.0}),
        Score(id="b", values={"m": 4.0}),
        Score(id="c", values={}, unscored={"m": "timeout"}),
        Score(id="d", values={"m": math.nan}),
    )
    (metric,) = stats.summarise("candidate", side, [])
    assert (metric.value, metric.n) == (3.0, 2)
    assert metric.unscored == {"timeout": 1, "not_finite": 1, "not_scored": 2}


def test_a_metric_that_no_sample_has_is_no_number() -> None:
    side = scores(*(Score(id=id_, values={}, unscored={"m": "refused"}) for id_ in IDS))
    (metric,) = stats.summarise("baseline", side, [])
    assert (metric.value, metric.low, metric.high, metric.n) == (None, None, None, 0)
    assert metric.unscored == {"refused": 6}


def test_one_sample_has_a_mean_and_no_interval() -> None:
    (metric,) = stats.summarise("baseline", values(7.0), [])
    assert (metric.value, metric.low, metric.high) == (7.0, None, None)


def test_the_last_row_of_an_id_counts() -> None:
    side = scores(
        Score(id="a", values={}, unscored={"m": "timeout"}),
        Score(id="b", values={"m": 9.0, "old": 1.0}),
        Score(id="a", values={"m": 5.0}),
        Score(id="b", values={}, unscored={"m": "parse_error"}),
    )
    metric, old = stats.summarise("candidate", side, [])
    assert (metric.value, metric.n) == (5.0, 1)
    assert metric.unscored == {"parse_error": 1, "not_scored": 4}
    assert old.n == 0


def test_a_total_counts_the_samples_it_is_not_over() -> None:
    totals = [Total(name="corpus-bleu", value=20.0, n=4), Total(name="none", value=None, n=0)]
    some, none = stats.summarise("candidate", values(), totals)
    assert (some.value, some.n, some.unscored) == (20.0, 4, {"not_scored": 2})
    assert (none.value, none.n, none.unscored) == (None, 0, {"not_scored": 6})


@pytest.mark.parametrize("hits", [0, 1, 3, 6])
def test_a_rate_has_wilsons_interval(hits: int) -> None:
    rate = MetricSpec(name="m", direction="higher", kind="rate", scale=(0.0, 100.0))
    side = values(*(100.0 * (at < hits) for at in range(6)))
    (metric,) = stats.summarise("candidate", side, [], {"m": rate})
    expected = reference.binomtest(hits, 6).proportion_ci(method="wilson")
    assert metric.low == pytest.approx(100 * expected.low, abs=1e-9)
    assert metric.high == pytest.approx(100 * expected.high)


def test_a_comparison_pairs_the_samples_that_both_have() -> None:
    baseline = scores(
        Score(id="a", values={"m": 1.0}),
        Score(id="b", values={"m": 5.0}),
        Score(id="c", values={"m": 5.0}),
        Score(id="d", values={"m": 100.0}),
    )
    candidate = scores(
        Score(id="c", values={"m": 4.0}),
        Score(id="a", values={"m": 3.0}),
        Score(id="b", values={"m": 5.0}),
        Score(id="e", values={"m": 100.0}),
    )
    (comparison,) = stats.compare(baseline, candidate)
    assert comparison.n == 3
    assert comparison.difference == pytest.approx((2 + 0 - 1) / 3)
    assert (comparison.better, comparison.equal, comparison.worse) == (1, 1, 1)


@pytest.mark.parametrize(
    ("direction", "better"), [("higher", 0), ("lower", 6), ("neither", 0), ("unknown", 0)]
)
def test_a_fall_is_better_where_less_is(direction: Direction, better: int) -> None:
    before, after = (values(*(level + at for at in range(6))) for level in (2.0, 1.0))
    specs = {"m": MetricSpec(name="m", direction=direction)}
    (comparison,) = stats.compare(before, after, specs)
    assert comparison.difference == pytest.approx(-1.0)
    assert (comparison.better, comparison.worse) == (better, 6 - better)
    assert comparison.direction == direction


def test_what_nobody_describes_has_no_direction() -> None:
    (comparison,) = stats.compare(values(1.0, 2.0), values(3.0, 5.0))
    assert comparison.direction == "unknown"


def test_one_pair_is_no_comparison() -> None:
    assert stats.compare(values(1.0), values(2.0)) == []


def test_the_detectable_effect_has_the_power_it_claims() -> None:
    random = np.random.default_rng(7)
    n, spread = 100, 3.0
    positions = {str(at): at for at in range(n)}

    def side(numbers: NDArray[np.float64]) -> stats.SideScores:
        rows = (Score(id=str(at), values={"m": value}) for at, value in enumerate(numbers))
        return stats.collect(positions, rows)

    zero = side(np.zeros(n))
    (first,) = stats.compare(zero, side(random.normal(0, spread, n)))
    true = (reference.norm.ppf(0.975) + reference.norm.ppf(0.8)) * spread / math.sqrt(n)
    assert first.detectable == pytest.approx(true, rel=0.2)
    shown = sum(
        stats.compare(zero, side(random.normal(true, spread, n)))[0].low > 0 for _ in range(200)
    )
    assert 0.7 <= shown / 200 <= 0.9


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 50)), min_size=3, max_size=40))
def test_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    left, right = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    found = stats.rank_correlation(left, right)
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        assert found is None
    else:
        assert found == pytest.approx(reference.spearmanr(left, right).statistic, abs=1e-9)
