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

SCALED = {"m": MetricSpec(name="m", direction="higher", scale=(1, 10))}
PERCENT = MetricSpec(name="m", direction="higher", scale=(0, 100))


def scores(*rows: Score) -> stats.SideScores:
    return stats.collect(IDS, rows)


def values(*numbers: float) -> stats.SideScores:
    return scores(
        *(Score(id=id_, values={"m": value}) for id_, value in zip(IDS, numbers, strict=False))
    )


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
    (metric,) = stats.summarise("candidate", side, [])  # and nothing of `old`
    assert (metric.value, metric.n) == (5.0, 1)
    assert metric.unscored == {"parse_error": 1, "not_scored": 4}
    assert list(side.values) == list(side.causes) == ["m"]


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


def test_unchanged_pairs_leave_room_for_what_was_not_seen_of_the_scale() -> None:
    same = values(8.0, 8.0, 9.0, 7.0, 8.0, 8.0)
    (scaled,) = stats.compare(same, same, SCALED)
    share = reference.binomtest(0, 6).proportion_ci(method="exact").high
    assert (scaled.low, scaled.high) == pytest.approx((-9 * share, 9 * share), rel=0.01)
    (seen,) = stats.compare(same, same)
    assert (seen.low, seen.high) == pytest.approx((-2 * share, 2 * share), rel=0.01)
    flat = values(8.0, 8.0, 8.0)
    (unknown,) = stats.compare(flat, flat)
    assert (unknown.low, unknown.high) == (0, 0)


def test_equal_scores_of_one_side_leave_room_within_their_scale() -> None:
    (metric,) = stats.summarise("candidate", values(*[8.0] * 6), [], SCALED)
    share = reference.binomtest(0, 6).proportion_ci(method="exact").high
    assert (metric.low, metric.high) == pytest.approx((8 - 7 * share, 8 + 2 * share), rel=0.01)


def test_no_interval_leaves_the_scale() -> None:
    low_and_high = values(1.0, 10.0, 10.0, 10.0, 10.0, 10.0)
    (metric,) = stats.summarise("candidate", low_and_high, [], SCALED)
    assert (metric.value, metric.high) == (8.5, 10)
    (unscaled,) = stats.summarise("candidate", low_and_high, [])
    assert unscaled.high is not None
    assert unscaled.high > 10
    (difference,) = stats.compare(values(*[1.0] * 5, 1.0), values(*[10.0] * 5, 9.0), SCALED)
    assert difference.high == 9


def test_ties_alone_do_not_prove_an_even_match() -> None:
    (even,) = stats.compare_with(50, PERCENT, values(*[50.0] * 6))
    share = reference.binomtest(0, 6).proportion_ci(method="exact").high
    assert (even.low, even.high) == pytest.approx((-50 * share, 50 * share), rel=0.01)


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


@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("spec", [PERCENT, MetricSpec(name="m", direction="higher")])
def test_pairs_that_differ_by_rounding_alone_are_unchanged(size: float, spec: MetricSpec) -> None:
    random = np.random.default_rng(1)
    before = size * random.random(50)
    now = before * (1 + 4e-16 * random.integers(-2, 3, 50))
    assert len(np.unique(now - before)) > 10
    ids = {str(at): at for at in range(50)}
    was, rounded, same = (
        stats.collect(ids, [Score(id=id_, values={"m": side[at]}) for id_, at in ids.items()])
        for side in (before, now, before)
    )
    (compared,) = stats.compare(was, rounded, {"m": spec})
    (unchanged,) = stats.compare(was, same, {"m": spec})
    assert compared.equal == 50
    assert (compared.low, compared.high) == pytest.approx((unchanged.low, unchanged.high))
    assert compared.low < -0.01 * size


def test_scores_that_differ_by_rounding_alone_have_no_range() -> None:
    (compared,) = stats.compare(values(0.3, 0.3, 0.3), values(0.1 + 0.2, 0.3, 0.3))
    assert (compared.low, compared.high) == (0, 0)


def test_holm_corrects_as_its_rule_says() -> None:
    # Holm's own rule: 0.01 x 4, then 0.02 x 3, 0.03 x 2, and never less than the one before
    assert stats.holm({"a": 0.03, "b": 0.01, "c": 0.02, "d": 0.9}) == pytest.approx(
        {"b": 0.04, "c": 0.06, "a": 0.06, "d": 0.9}
    )
    assert stats.holm({}) == {}


def test_samples_of_a_cluster_count_as_one() -> None:
    positions = {str(at): at for at in range(12)}
    rows = [Score(id=id_, values={"m": float(at // 2 % 5)}) for id_, at in positions.items()]
    flat = [Score(id=id_, values={"m": 1.0}) for id_ in positions]
    clusters = np.arange(12) // 2
    alone, paired = (stats.collect(positions, rows, among) for among in (None, clusters))
    (single,), (double,) = (stats.summarise("candidate", side, []) for side in (alone, paired))
    assert (single.clusters, double.clusters) == (None, 6)
    assert single.low is not None
    assert double.low is not None
    assert double.low < single.low
    baseline = stats.collect(positions, flat, clusters)
    (compared,) = stats.compare(baseline, paired)
    (against,) = stats.compare_with(1.0, PERCENT, paired)
    assert (compared.n, compared.clusters) == (12, 6)
    assert compared.method.endswith("over clusters")
    assert against.clusters == 6


def test_where_each_sample_is_its_own_cluster_nothing_clusters() -> None:
    rows = [Score(id=id_, values={"m": float(at)}) for id_, at in IDS.items()]
    (metric,) = stats.summarise("candidate", stats.collect(IDS, rows, np.arange(6)), [])
    (plain,) = stats.summarise("candidate", stats.collect(IDS, rows), [])
    assert metric == plain
    assert metric.clusters is None


def test_a_comparison_says_how_likely_no_difference_is() -> None:
    (same,) = stats.compare(values(1, 2, 3, 4, 5, 6), values(2, 1, 4, 3, 6, 5))
    (better,) = stats.compare(values(1, 1, 1, 1, 1, 1), values(2, 4, 3, 5, 3.5, 4.5))
    assert same.p == 1
    assert better.p is not None
    assert better.p < same.p
    assert (better.p < 0.05) == (better.low > 0)


def test_a_win_rate_has_tangos_interval_where_nothing_lies_between() -> None:
    spec = MetricSpec(name="m", direction="higher", scale=(0, 100), group="pairwise")
    decided = stats.compare_with(50, spec, values(100, 0, 50, 100, 100, 50))
    assert "Tango" in decided[0].method
    shares = stats.compare_with(50, spec, values(100, 0, 75, 100, 100, 50))
    assert "Tango" not in shares[0].method
