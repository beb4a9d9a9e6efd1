"""Whether a judge is admitted: its bounds against references and by simulation, its bars, and who
is told of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from assay.calibrate.admission import Bars, Labelled, lower_bound, measures, shortfalls
from assay.calibrate.agreement import compare, corrected_rate, difference
from assay.errors import SettingsError
from assay.records import Corrected
from assay.settings import build
from assay.stats import rank_correlation, weighted_kappa

SCALE = (1, 10)
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def labelled(
    draw: np.random.Generator, n: int, noise: float, mean: float = 6.0, shift: float = 0.0
) -> tuple[Array, Array]:
    """Return `n` scores of a judge that is off by so much, and the labels."""
    people = np.clip(np.round(draw.normal(mean, 2, n)), *SCALE)
    judge = np.clip(np.round(people + shift + draw.normal(0, noise, n)), *SCALE)
    return judge, people


def pairs_of(judge: Array, people: Array) -> Labelled:
    return list(zip(judge.tolist(), people.tolist(), strict=True))


def asymptotic_error(judge: Array, people: Array) -> float:
    """The standard error of quadratic weighted kappa by the matrices of Fleiss, Cohen and Everitt
    1969, "Large sample standard errors of kappa and weighted kappa", Psychological Bulletin 72."""
    levels = np.arange(SCALE[0], SCALE[1] + 1)
    table = np.array([[((judge == a) & (people == b)).mean() for b in levels] for a in levels])
    rows, columns = table.sum(1), table.sum(0)
    weights = 1 - ((levels[:, None] - levels[None, :]) / 9) ** 2
    seen, chance = (weights * table).sum(), (weights * np.outer(rows, columns)).sum()
    by_row, by_column = weights @ columns, rows @ weights
    part = weights * (1 - chance) - (by_row[:, None] + by_column[None, :]) * (1 - seen)
    spread = (table * part**2).sum() - (seen * chance - 2 * chance + seen) ** 2
    return float(np.sqrt(spread / len(judge)) / (1 - chance) ** 2)


@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_the_bound_of_weighted_kappa_is_that_of_its_large_sample_error(noise: float) -> None:
    judge, people = labelled(np.random.default_rng(3), 300, noise)
    value, low = weighted_kappa(judge, people), lower_bound(weighted_kappa, judge, people)
    assert value is not None
    assert low is not None
    error = asymptotic_error(judge, people) / (1 - value**2)  # on Fisher's scale
    expected = np.tanh(np.arctanh(value) - 1.96 * error)
    assert expected - 0.03 < low < expected + 0.005


def test_the_bound_of_spearman_is_that_of_scipys_bootstrap() -> None:
    judge, people = labelled(np.random.default_rng(4), 200, 1.5)
    low = lower_bound(rank_correlation, judge, people)
    resampled = stats.bootstrap(
        (judge, people),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=600,
        rng=np.random.default_rng(5),
    ).confidence_interval.low
    assert low == pytest.approx(resampled, abs=0.03)


@pytest.mark.parametrize("statistic", [weighted_kappa, rank_correlation])
@pytest.mark.parametrize(
    ("n", "noise", "mean", "shift"),
    [(25, 1.5, 6, 0), (25, 1.0, 8.5, 0), (50, 0.8, 6, 1), (60, 3.0, 6, 0)],
)
def test_a_bound_is_above_the_truth_in_few_of_all_samples(
    statistic: object, n: int, noise: float, mean: float, shift: float
) -> None:
    measure = weighted_kappa if statistic is weighted_kappa else rank_correlation
    truth = measure(*labelled(np.random.default_rng(0), 200_000, noise, mean, shift))
    draw, runs = np.random.default_rng(8), 150
    bounds = [lower_bound(measure, *labelled(draw, n, noise, mean, shift)) for _ in range(runs)]
    assert truth is not None
    above = sum(bound is not None and bound > truth for bound in bounds)
    # 2.5% is claimed; above this would be 1% likely
    assert above <= stats.binom.ppf(0.99, runs, 0.025)


def test_the_bound_of_a_share_is_exact() -> None:
    for close in (0, 3, 17, 20):
        pairs = [(5.0, 5.0)] * close + [(5.0, 9.0)] * (20 - close)
        expected = stats.binomtest(close, 20).proportion_ci(method="exact").low
        assert measures(pairs, Bars())["within_one"].low == pytest.approx(expected)


@pytest.mark.parametrize("n", [10, 20, 100])
def test_no_agreement_however_perfect_is_proven_beyond_what_was_not_seen(n: int) -> None:
    judge = np.array([float(1 + at % 10) for at in range(n)])
    for statistic in (weighted_kappa, rank_correlation):
        assert lower_bound(statistic, judge, judge) == pytest.approx(
            stats.binomtest(n, n).proportion_ci(method="exact").low
        )


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(5.0, 5.0)],
        [(float(at), float(at)) for at in range(1, 10)],  # nine
        [(10.0, 10.0)] * 40,  # all alike
        [(10.0, 10.0)] * 39 + [(1.0, 1.0)],  # it hangs on one of them
    ],
    ids=["none", "one", "nine", "all alike", "one of them"],
)
def test_labels_that_do_not_tell_admit_nobody(pairs: Labelled) -> None:
    of_side = measures(pairs, Bars())
    assert of_side["weighted_kappa"].low is None
    assert of_side["spearman"].low is None
    (kappa, spearman) = shortfalls({"candidate": of_side})
    assert kappa.startswith("candidate weighted kappa has no bound")
    assert spearman.startswith("candidate spearman has no bound")


def two_sides(noise: dict[str, float], n: int = 100) -> dict[str, Labelled]:
    draw = np.random.default_rng(6)
    return {side: pairs_of(*labelled(draw, n, of_side)) for side, of_side in noise.items()}


def scores_of(pairs: dict[str, Labelled]) -> dict[str, list[float]]:
    return {side: [score for score, _ in of_side] for side, of_side in pairs.items()}


def test_a_judge_that_agrees_on_both_sides_is_admitted() -> None:
    pairs = two_sides({"baseline": 1.0, "candidate": 1.0})
    agreement = compare(pairs, scores_of(pairs), 7, SCALE, identity="this judge")
    assert (agreement.admitted, agreement.shortfalls) == (True, ())
    assert agreement.identity == "this judge"
    assert set(agreement.sides) == {"baseline", "candidate"}


def test_a_judge_that_guesses_on_one_side_is_not_admitted_by_the_other() -> None:
    pairs = two_sides({"baseline": 0.5, "candidate": 20.0})
    # what is pooled would clear the bar: the other side's answers are worse, and it knows that
    pairs["baseline"] = [
        (max(1, score - 5), max(1, label - 5)) for score, label in pairs["baseline"]
    ]
    both = [pair for of_side in pairs.values() for pair in of_side]
    agreement = compare(pairs, scores_of(pairs), 7, SCALE)
    assert measures(both, Bars())["spearman"].low is not None
    assert not agreement.admitted
    assert all(phrase.startswith("candidate ") for phrase in agreement.shortfalls)


def test_a_side_without_labels_is_not_admitted() -> None:
    pairs = two_sides({"baseline": 0.5, "candidate": 0.5})
    scores = scores_of(pairs)
    del pairs["candidate"]
    agreement = compare(pairs, scores, 7, SCALE)
    assert not agreement.admitted
    assert agreement.shortfalls[0].startswith("candidate weighted kappa has no bound")
    assert agreement.rate_difference is None


def test_a_higher_bar_admits_fewer_and_none_all() -> None:
    pairs = two_sides({"baseline": 1.5, "candidate": 1.5})
    scores = scores_of(pairs)
    assert compare(pairs, scores, 7, SCALE, Bars()).admitted
    high = compare(pairs, scores, 7, SCALE, Bars(weighted_kappa=0.9))
    assert [phrase.split(" 0.")[0] for phrase in high.shortfalls] == [
        "baseline weighted kappa",
        "candidate weighted kappa",
    ]
    assert "and 0.9 is asked for" in high.shortfalls[0]
    within = compare(pairs, scores, 7, SCALE, Bars(within_one=0.95))
    assert [phrase.split(" 0.")[0] for phrase in within.shortfalls] == [
        "baseline within one",
        "candidate within one",
    ]


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, "high", None])
def test_a_bar_off_its_range_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"--bar\.spearman"):
        build(Bars, {"spearman": value}, "--bar")


def kinder(draw: np.random.Generator, n: int, shift: int, mean: float) -> tuple[Array, Array]:
    """Return scores `shift` points too high and noisy, and the labels that people would give."""
    truth = np.clip(np.round(draw.normal(mean, 2, n)), *SCALE)
    return np.clip(truth + shift + draw.choice([-1, 0, 0, 0, 1], n), *SCALE), truth


def passing(mean: float) -> float:
    return float(1 - stats.norm.cdf((6.5 - mean) / 2))


def test_the_corrected_difference_holds_the_truth_where_the_judge_is_kinder_to_one_side() -> None:
    # 100 labels of each side's 400 answers, the judge 1 point kinder to the candidate
    draw, runs = np.random.default_rng(11), 120
    truth = passing(6.6) - passing(6.0)
    hits = {"baseline": 0, "candidate": 0, "difference": 0}
    judged = []
    for _ in range(runs):
        sides = {
            "baseline": kinder(draw, 400, 0, 6.0),
            "candidate": kinder(draw, 400, 1, 6.6),
        }
        pairs = {
            side: pairs_of(judge[:100], people[:100]) for side, (judge, people) in sides.items()
        }
        scores = {side: judge.tolist() for side, (judge, _) in sides.items()}
        found = {side: corrected_rate(scores[side], pairs[side], 7) for side in sides}
        change = difference(found)
        assert change is not None
        hits["baseline"] += holds(found["baseline"], passing(6.0))
        hits["candidate"] += holds(found["candidate"], passing(6.6))
        hits["difference"] += holds(change, truth)
        judged.append(change.judge)
    assert np.mean(judged) > truth + 0.1  # what the judge alone would say
    # 95% is claimed; below this would be 1% likely
    assert min(hits.values()) >= stats.binom.ppf(0.01, runs, 0.95)


@pytest.mark.parametrize(
    ("n", "labels", "mean"), [(200, 15, 6.0), (200, 30, 9.5), (400, 40, 3.0), (100, 20, 20.0)]
)
def test_the_corrected_share_of_few_labels_skewed_or_all_passing_holds_the_truth(
    n: int, labels: int, mean: float
) -> None:
    draw, runs, hits = np.random.default_rng(12), 120, 0
    for _ in range(runs):
        judge, people = kinder(draw, n, 1, mean)
        pairs = pairs_of(judge[:labels], people[:labels])
        hits += holds(corrected_rate(judge.tolist(), pairs, 7), passing(mean))
    assert hits >= stats.binom.ppf(0.01, runs, 0.95)


def holds(number: Corrected, truth: float) -> bool:
    assert number.low is not None
    assert number.high is not None
    return number.low <= truth <= number.high
