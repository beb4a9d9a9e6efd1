"""How many more samples settle a rule, and how often a good candidate is stopped: said, and so."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.gate import Bound, Decision, Evidence, Gate, GatePolicy, decide, read_policy, remark
from assay.records import Comparison, Direction, Metric
from tests.unit.gate.test_gate import compared, sides

Floats = NDArray[np.float64]


def seen(values: Floats, name: str = "overall", direction: Direction = "higher") -> Comparison:
    """Return what a paired difference of so many samples shows, by the normal distribution."""
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    given = compared(mean - half, mean + half, len(values), name, direction)
    return replace(given, difference=mean, equal=0)


def decided(comparisons: list[Comparison], bound: Bound) -> Gate:
    rules = {each.name: bound for each in comparisons}
    metrics = [metric for each in comparisons for metric in sides(each.name, each.n)]
    policy = GatePolicy(rules=rules, min_pairs=10)
    return decide(policy, Evidence(metrics=metrics, comparisons=comparisons))


def exactly(mean: float, deviation: float, n: int) -> Floats:
    """Return n values of exactly this mean and standard deviation."""
    values: Floats = np.linspace(-1, 1, n)
    return np.asarray(mean + deviation * values / values.std(ddof=1), dtype=float)


@pytest.mark.parametrize(
    ("loss", "bound", "direction", "expected"),
    [
        (0.0, 0.3, "higher", "GO"),
        (0.1, 0.3, "higher", "GO"),
        (-0.1, 0.2, "higher", "GO"),
        (0.5, 0.3, "higher", "NO_GO"),
        (0.1, 0.3, "lower", "GO"),
        (0.0, 0.3, "neither", "GO"),
        (0.5, 0.3, "neither", "NO_GO"),
    ],
)
def test_with_the_samples_that_are_told_four_runs_of_five_decide(
    loss: float, bound: float, direction: Direction, expected: Decision
) -> None:
    pilot, deviation, difference = 40, 2.0, loss if direction == "lower" else -loss
    first = decided(
        [seen(exactly(difference, deviation, pilot), direction=direction)], Bound(max_drop=bound)
    )
    (ruling,) = first.rulings
    assert ruling.decision == "INCONCLUSIVE"
    assert ruling.more
    assert f"; about {ruling.more:,} more samples would settle it" in ruling.reason
    random, runs = np.random.default_rng(7), 600
    settled = [
        decided(
            [seen(random.normal(difference, deviation, pilot + ruling.more), direction=direction)],
            Bound(max_drop=bound),
        ).decision
        for _ in range(runs)
    ]
    assert 0.74 <= settled.count(expected) / runs <= 0.88


@pytest.mark.parametrize("bound", [Bound(min=6.8), Bound(max=7.2)])
def test_a_floor_is_settled_by_as_many(bound: Bound) -> None:
    random, n, runs = np.random.default_rng(3), 50, 600

    def held(values: Floats) -> Gate:
        half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
        mean = float(values.mean())
        given = Metric(
            name="overall",
            side="candidate",
            value=mean,
            n=len(values),
            low=mean - half,
            high=mean + half,
        )
        policy = GatePolicy(rules={"overall": bound})
        return decide(policy, Evidence(metrics=[given], comparisons=[]))

    (ruling,) = held(exactly(7, 1.5, n)).rulings
    assert ruling.more
    settled = [held(random.normal(7, 1.5, n + ruling.more)).decision for _ in range(runs)]
    assert 0.74 <= settled.count("GO") / runs <= 0.88


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (-0.3, "the estimate lies at the bound, so no number of samples would settle it"),
        (-0.299, "more than 100,000 more samples would be needed to settle it"),
        (-0.2, "about 3,100 more samples would settle it, if the truth is as estimated"),
        (0.0, "about 310 more samples would settle it, if the truth is as estimated"),
    ],
)
def test_what_no_number_settles_is_told(difference: float, told: str) -> None:
    (ruling,) = decided([seen(exactly(difference, 2.0, 40))], Bound(max_drop=0.3)).rulings
    assert ruling.reason.endswith(f": on both sides of the bound; {told}")
    digits = re.search(r"about ([\d,]+)", told)
    assert ruling.more == (int(digits[1].replace(",", "")) if digits else None)


def test_unchanged_pairs_need_as_many_as_an_exact_bound_says() -> None:
    unchanged = replace(compared(-0.64, 0.64, 50), difference=0.0)  # 9 times 1 - 0.025^(1/50)
    (ruling,) = decided([unchanged], Bound(max_drop=0.3)).rulings
    assert ruling.more == 57  # 109 samples bound it to 0.3


@pytest.mark.parametrize("decision", [(0.1, 0.5), (-0.9, -0.4)])
def test_a_rule_that_is_settled_needs_no_more(decision: tuple[float, float]) -> None:
    (ruling,) = decided([compared(*decision)], Bound(max_drop=0.3)).rulings
    assert ruling.more is None
    assert "more samples" not in ruling.reason


def told(gate: Gate) -> tuple[float, float]:
    assert gate.stopped
    return gate.stopped


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("direction", ["higher", "neither"])
def test_a_good_candidate_is_stopped_as_often_as_is_told(
    together: bool, direction: Direction
) -> None:
    n, deviation, names = 120, 1.0, ("a", "b", "c", "d")
    random, runs = np.random.default_rng(11), 500
    stopped, shares = 0, []
    for _ in range(runs):
        shared = random.normal(0, deviation, n)
        values = [shared if together else random.normal(0, deviation, n) for _ in names]
        pairs = [seen(each, name, direction) for each, name in zip(values, names, strict=True)]
        gate = decided(pairs, Bound(max_drop=0.28))
        stopped += gate.decision != "GO"
        shares.append(told(gate)[0 if together else 1])
    assert stopped / runs == pytest.approx(float(np.mean(shares)), abs=0.06)
    assert 0.05 < stopped / runs < 0.95


def test_the_chance_of_stopping_a_good_candidate_is_told() -> None:
    pairs = [seen(exactly(0, 2.0, 200), name) for name in "abc"]
    one = remark(decided(pairs[:1], Bound(max_drop=0.3)))
    assert one.endswith("compared with would be stopped by chance in 44% of such runs.")
    three = remark(decided(pairs, Bound(max_drop=0.3)))
    assert three.endswith(
        "in 44% of such runs if the rules move together, 82% if they are independent."
    )
    wide = remark(decided(pairs[:1], Bound(max_drop=3)))
    assert wide.endswith("by chance in less than 1% of such runs.")
    nothing = remark(decided(pairs[:1], Bound(max_drop=0)))
    assert nothing.endswith("by chance in 98% of such runs.")


@pytest.mark.parametrize("bound", [Bound(max_drop=-0.3), Bound(min=7.5), Bound(max=6.5)])
def test_who_must_be_better_than_the_baseline_is_not_stopped_by_chance(bound: Bound) -> None:
    assert decided([seen(exactly(0, 2.0, 200))], bound).stopped is None


def test_a_rule_that_does_not_decide_stops_nobody() -> None:
    pair = seen(exactly(0, 2.0, 200))
    rules = {"overall": {"max_drop": 3}, "b": {"max_drop": 0.1, "tier": "supporting"}}
    given = Evidence(
        metrics=[*sides("overall", 200), *sides("b", 200)],
        comparisons=[pair, replace(pair, name="b")],
    )
    gate = decide(read_policy({"rules": rules}, "gate"), given)
    assert told(gate)[1] < 0.01


def test_without_a_baseline_nothing_is_said_of_one_as_good() -> None:
    policy = read_policy({"rules": {"overall": {"min": 6}}}, "gate")
    gate = decide(policy, Evidence(metrics=sides("overall")[1:], comparisons=[]))
    assert (gate.stopped, remark(gate)) == (None, "")


def test_the_fewer_pairs_changed_the_fewer_more_are_needed() -> None:
    wide = replace(compared(-0.5, 0.5, 100), difference=0.0, better=50, equal=0, worse=50)
    more = [
        decided([replace(wide, better=50 - still // 2, equal=still, worse=50 - still // 2)], bound)
        for bound in (Bound(max_drop=0.3),)
        for still in (0, 50, 98)
    ]
    first, second, third = (gate.rulings[0].more or 0 for gate in more)
    assert first > 1.4 * second > 1.4 * third > 0
