"""The figures of calibration against published values and independent computations."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from assay.calibrate.agreement import (
    compare,
    corrected_mean,
    corrected_rate,
    kappa,
)
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
    )
    assert (found.n, found.exact) == (6, 0.5)
    assert found.within_one == pytest.approx(4 / 6)
    assert found.bias == pytest.approx(5 / 6)
    expected = stats.spearmanr(judge, people).statistic
    assert found.spearman == pytest.approx(expected)
    assert found.means["baseline"].judge == pytest.approx(23 / 3)


def test_the_corrected_mean_is_the_difference_estimator() -> None:
    # by hand: judge's mean 6.5, labels lower by 1, 0 and 2: 6.5 - 1
    scores, pairs = [8.0, 6.0, 9.0, 3.0], [(8.0, 7.0), (6.0, 6.0), (9.0, 7.0)]
    found = corrected_mean(scores, pairs)
    assert found.value == pytest.approx(5.5)
    # var(label) = 1/3 over 4, var(difference) = 1 over 3, a quarter of the answers unlabelled
    half = 1.959964 * math.sqrt(1 / 12 + 0.25 / 3)
    assert found.low == pytest.approx(5.5 - half, abs=1e-5)
    assert found.high == pytest.approx(5.5 + half, abs=1e-5)
    assert corrected_mean(scores, pairs[:1]).value is None


def test_with_all_labelled_the_corrected_mean_is_the_mean_of_the_labels() -> None:
    pairs = [(9.0, 5.0), (8.0, 4.0), (9.0, 9.0), (2.0, 1.0)]
    found = corrected_mean([score for score, _ in pairs], pairs)
    labels = [label for _, label in pairs]
    assert found.value == pytest.approx(np.mean(labels))
    assert found.high - found.value == pytest.approx(1.959964 * stats.sem(labels), rel=1e-6)  # type: ignore[operator]


def test_the_interval_of_the_corrected_mean_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        truth = np.clip(draw.normal(5, 2, 400), 1, 10)
        judge = np.clip(truth + draw.normal(1.2, 1.5, 400), 1, 10)
        labelled = draw.permutation(400)[:60]
        found = corrected_mean(list(judge), [(judge[at], truth[at]) for at in labelled])
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 5.013 <= found.high  # the mean of the clipped normal
    assert 0.92 <= hits / 400 <= 0.98


def test_the_corrected_rate_is_that_of_the_paper() -> None:
    # judge passes 60 of 100; sensitivity 9/10, specificity 8/10: (.6 + .8 - 1) / .7 = 4/7
    scores = [8.0] * 60 + [3.0] * 40
    pairs = [(8.0, 9.0)] * 9 + [(3.0, 9.0)] + [(3.0, 2.0)] * 8 + [(8.0, 2.0)] * 2
    found = corrected_rate(scores, pairs, 7)
    assert found.judge == 0.6
    assert found.value == pytest.approx(4 / 7)
    # Lang and Reiczigel's interval, term by term
    z2 = 1.959963984540054**2
    p, q0, q1 = (60 + z2 / 2) / (100 + z2), 9 / 12, 10 / 12
    value = (p + q0 - 1) / (q0 + q1 - 1)
    v0, v1 = q0 * (1 - q0) / 12, q1 * (1 - q1) / 12
    middle = value + 2 * z2 * (value * v1 - (1 - value) * v0)
    spread = p * (1 - p) / (100 + z2) + (1 - value) ** 2 * v0 + value**2 * v1
    half = math.sqrt(z2 * spread) / (q0 + q1 - 1)
    assert found.low == pytest.approx(max(0, middle - half))
    assert found.high == pytest.approx(min(1, middle + half))


@pytest.mark.parametrize(
    "pairs",
    [
        [(8.0, 9.0)] * 5,  # nobody failed
        [(8.0, 2.0), (3.0, 9.0)] * 5,  # worse than chance
    ],
)
def test_labels_that_cannot_correct_give_no_value(pairs: list[tuple[float, float]]) -> None:
    assert corrected_rate([8.0, 3.0], pairs, 7).value is None
