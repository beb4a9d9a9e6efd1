"""The figures of calibration against published values and independent computations."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from scipy import stats

from assay.calibrate.admission import Bars, measures
from assay.calibrate.agreement import (
    compare,
    corrected_mean,
    corrected_rate,
    kappa,
)
from assay.calibrate.together import ALONE, Together
from assay.intervals import interval
from assay.records import Corrected
from assay.stats import weighted_kappa


def pairs_of(table: list[list[int]]) -> tuple[list[float], list[float]]:
    """Return the two raters of a confusion matrix."""
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [float(i) for i, _ in cells], [float(j) for _, j in cells]


def weighted_by_matrix(left: list[float], right: list[float]) -> float:
    """Quadratic weighted kappa as it is defined: observed, expected and weight matrices."""
    size = int(max(*left, *right)) + 1
    observed = np.zeros((size, size))
    for i, j in zip(left, right, strict=True):
        observed[int(i), int(j)] += 1
    expected = np.outer(observed.sum(1), observed.sum(0)) / observed.sum()
    weights = (np.arange(size)[:, None] - np.arange(size)[None, :]) ** 2
    return float(1 - (weights * observed).sum() / (weights * expected).sum())


def test_cohens_kappa_is_that_of_his_paper() -> None:
    # Cohen 1960, table 1: proportions of 200; kappa = .492
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    assert kappa(*pairs_of(table)) == pytest.approx(0.492, abs=5e-4)
    assert kappa(*pairs_of([[20, 5], [10, 15]])) == pytest.approx(0.4)
    assert kappa([7.0, 7.0], [7.0, 7.0]) is None


def test_weighted_kappa_is_that_of_its_definition() -> None:
    draw = random.Random(3)
    left = [float(draw.randint(1, 10)) for _ in range(200)]
    right = [min(10.0, max(1.0, x + draw.randint(-3, 2))) for x in left]
    a, b, same = np.array(left), np.array(right), np.array([7.0, 7.0])
    assert weighted_kappa(a, b) == pytest.approx(weighted_by_matrix(left, right))
    assert weighted_kappa(a, a) == pytest.approx(1)
    assert weighted_kappa(same, same) is None


def test_a_side_is_described_by_its_labels() -> None:
    judge, people = [8.0, 6.0, 9.0, 3.0, 7.0, 5.0], [7.0, 6.0, 7.0, 3.0, 5.0, 5.0]
    both = list(zip(judge, people, strict=True))
    found = compare(
        {"baseline": both[:3], "candidate": both[3:]},
        {"baseline": judge[:3], "candidate": judge[3:]},
        7,
        (1, 10),
    )
    assert (found.n, found.exact) == (6, 0.5)
    assert found.within_one == pytest.approx(4 / 6)
    assert found.bias == pytest.approx(5 / 6)
    expected = stats.spearmanr(judge, people).statistic
    assert found.spearman == pytest.approx(expected)
    assert found.means["baseline"].judge == pytest.approx(23 / 3)


def test_the_corrected_mean_is_the_difference_estimator() -> None:
    # by hand: judge's mean 6.5 over 24 answers, 12 labelled ones lower by 1, 0 and 2: 6.5 - 1
    scores, pairs = [8.0, 6.0, 9.0, 3.0] * 6, [(8.0, 7.0), (6.0, 6.0), (9.0, 7.0)] * 4
    found = corrected_mean(scores, pairs, (1, 10))
    assert found.value == pytest.approx(5.5)
    labels = [label for _, label in pairs]
    gap = interval(np.array([label - score for score, label in pairs]), (-9, 9)).ends
    of_mean = 1.959964 * np.std(labels, ddof=1) / math.sqrt(24)
    assert found.low == pytest.approx(5.5 - math.hypot(of_mean, (-1 - gap[0]) * math.sqrt(0.5)))
    assert found.high == pytest.approx(5.5 + math.hypot(of_mean, (gap[1] + 1) * math.sqrt(0.5)))


def test_with_all_labelled_the_corrected_numbers_are_those_of_the_labels() -> None:
    pairs = [(9.0, 5.0), (8.0, 4.0), (9.0, 9.0), (2.0, 1.0)] * 5
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    found = corrected_mean(scores, pairs, (1, 10))
    assert found.value == pytest.approx(np.mean(labels))
    assert found.high is not None
    assert found.value is not None
    assert found.high - found.value == pytest.approx(1.959964 * stats.sem(labels), rel=1e-6)
    rate = corrected_rate(scores, pairs, 7)
    wilson = stats.binomtest(5, 20).proportion_ci(method="wilson")
    assert rate.value == 0.25
    assert (rate.low, rate.high) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("labels", [0, 1, 9])
def test_too_few_labels_of_a_side_correct_nothing(labels: int) -> None:
    scores, pairs = [8.0, 3.0] * 20, [(8.0, 7.0)] * labels
    for found in (corrected_mean(scores, pairs, (1, 10)), corrected_rate(scores, pairs, 7)):
        assert (found.value, found.low, found.high, found.labels) == (None, None, None, labels)


def test_each_side_is_corrected_by_its_own_labels() -> None:
    # the judge is right on the baseline and passes all of the candidate, of which 60% do
    right, wrong = [(8.0, 8.0)] * 10 + [(3.0, 3.0)] * 10, [(8.0, 8.0)] * 12 + [(8.0, 3.0)] * 8
    scores = {"baseline": [8.0, 3.0] * 50, "candidate": [8.0] * 100}
    found = compare({"baseline": right, "candidate": wrong}, scores, 7, (1, 10))
    rates = {side: rate.value for side, rate in found.rates.items()}
    assert rates == pytest.approx({"baseline": 0.5, "candidate": 0.6})
    means = {side: mean.value for side, mean in found.means.items()}
    assert means == pytest.approx({"baseline": 5.5, "candidate": 6.0})
    unlabelled = compare({"baseline": right, "candidate": wrong[:5]}, scores, 7, (1, 10))
    assert unlabelled.rates["candidate"].value is None
    assert unlabelled.rates["baseline"].value == pytest.approx(0.5)


def test_the_corrected_numbers_hold_the_truth_where_the_judge_is_kinder_to_one_side() -> None:
    draw, runs = np.random.default_rng(5), 100
    chances = stats.norm.cdf((np.arange(1, 10) + 0.5 - 6) / 2)
    share, mean = 1 - chances[5], 10 - chances.sum()  # of the rounded normal, clipped to 1..10
    hits = {"rate": 0, "mean": 0}
    for _ in range(runs):
        truth = np.clip(np.round(draw.normal(6, 2, 800)), 1, 10)
        judge = np.clip(truth + 1 + draw.choice([-1, 0, 0, 0, 1], 800), 1, 10)
        pairs = [(judge[at], truth[at]) for at in draw.permutation(800)[:100]]
        rate, of_mean = corrected_rate(judge, pairs, 7), corrected_mean(judge, pairs, (1, 10))
        assert rate.low is not None
        assert rate.high is not None
        assert of_mean.low is not None
        assert of_mean.high is not None
        hits["rate"] += rate.low <= share <= rate.high
        hits["mean"] += of_mean.low <= mean <= of_mean.high
    # 95% is claimed; below this would be 1% likely
    assert min(hits.values()) >= stats.binom.ppf(0.01, runs, 0.95)


def ends(number: Corrected) -> tuple[float, float]:
    assert number.low is not None
    assert number.high is not None
    return number.low, number.high


@pytest.mark.parametrize("of_mean", [True, False])
def test_turns_of_one_conversation_do_not_narrow_what_is_corrected(of_mean: bool) -> None:
    """200 answers, 40 labelled, eight to a conversation: judge and people are alike within it."""
    draw, runs, alone, clustered = np.random.default_rng(6), 60, 0, 0
    names = [f"talk {at // 8}" for at in range(200)]
    for _ in range(runs):
        level = np.repeat(draw.normal(6, 1.5, 25), 8)
        truth = np.clip(np.round(level + draw.normal(0, 0.7, 200)), 1, 10)
        judge = np.clip(truth + np.repeat(draw.integers(-1, 3, 25), 8), 1, 10)
        at = [talk * 8 + turn for talk in draw.permutation(25)[:10] for turn in range(4)]
        pairs = [(judge[place], truth[place]) for place in at]
        of = Together(pairs=[names[place] for place in at], scores=names)
        wide, narrow = (
            corrected_mean(judge.tolist(), pairs, (1, 10), each)
            if of_mean
            else corrected_rate(judge.tolist(), pairs, 7, each)
            for each in (of, ALONE)
        )
        true = 6.0 if of_mean else 1 - stats.norm.cdf((6.5 - 6) / math.hypot(1.5, 0.7))
        clustered += ends(wide)[0] <= true <= ends(wide)[1]
        alone += ends(narrow)[0] <= true <= ends(narrow)[1]
    assert clustered >= stats.binom.ppf(0.01, runs, 0.95)
    assert alone < clustered


@pytest.mark.parametrize("names", [["a"] * 40, [f"{at // 2}" for at in range(40)]])
def test_labels_that_are_all_alike_count_by_their_clusters(names: list[str]) -> None:
    pairs = [(8.0, 8.0)] * 40
    of = Together(pairs=names, scores=[*names, "other"])
    for corrected, scale in ((corrected_mean, (1, 10)), (corrected_rate, 7)):
        told: Any = corrected
        wide, narrow = (told([8.0] * 41, pairs, scale, each) for each in (of, ALONE))
        assert ends(wide)[0] <= ends(narrow)[0]


def test_labels_of_one_conversation_admit_no_judge_that_independent_ones_would() -> None:
    pairs = [(float(at % 9 + 1), float(at % 9 + 1)) for at in range(30)]
    names = [f"talk {at // 3}" for at in range(30)]
    alone, clustered = measures(pairs, Bars()), measures(pairs, Bars(), names)
    for name in alone:
        low, high = clustered[name].low, alone[name].low
        assert low is not None
        assert high is not None
        assert low < high
    of_one = measures(pairs, Bars(), ["talk"] * 30)
    assert [of_one[name].low for name in of_one] == [None, None, None]


def test_a_corrected_mean_stays_on_the_scale() -> None:
    corrected = corrected_mean([10.0] * 30, [(10.0, 10.0)] * 20, (1, 10))
    assert (corrected.value, corrected.high) == (10, 10)
    assert corrected.low is not None
    assert 1 <= corrected.low < 10
    above = corrected_mean([9.0] * 20 + [10.0] * 20, [(9.0, 10.0)] * 20, (1, 10))
    assert (above.value, above.high) == (10, 10)
