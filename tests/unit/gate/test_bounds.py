"""What a rule can bound: a loss in units or in percent of the baseline, and the candidate's own
mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.gate import Evidence, Gate, both, decide, read_policy
from assay.records import Comparison, Direction, Metric
from tests.unit.gate.test_gate import compared

Floats = NDArray[np.float64]


def side(name: str, value: float, low: float, high: float, n: int = 100) -> Metric:
    of = "baseline" if name == "baseline" else "candidate"
    return Metric(name="overall", side=of, value=value, n=n, low=low, high=high)  # type: ignore[arg-type]


def decided(bound: dict[str, object], metrics: list[Metric], comparisons: list[Comparison]) -> Gate:
    policy = read_policy({"rules": {"overall": bound}}, "gate")
    return decide(policy, Evidence(metrics=metrics, comparisons=comparisons))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"min": 6.5}, ["GO"]),
        ({"min": 6.8}, ["GO"]),
        ({"min": 6.9}, ["INCONCLUSIVE"]),
        ({"min": 7.3}, ["NO_GO"]),
        ({"max": 7.2}, ["GO"]),
        ({"max": 7.1}, ["INCONCLUSIVE"]),
        ({"max": 6.7}, ["NO_GO"]),
        ({"min": 6.5, "max": 7.5}, ["GO", "GO"]),
        ({"max_drop": 0.3, "min": 7.3}, ["GO", "NO_GO"]),
    ],
)
def test_a_floor_and_a_ceiling_are_held_to_by_the_candidates_own_interval(
    bound: dict[str, object], expected: list[str]
) -> None:
    metrics = [side("baseline", 7.0, 6.9, 7.1), side("candidate", 7.0, 6.8, 7.2)]
    gate = decided(bound, metrics, [compared(-0.2, 0.1)])
    assert [ruling.decision for ruling in gate.rulings] == expected
    last = gate.rulings[-1]
    if "max_drop" not in bound:
        assert (last.estimate, last.low, last.high) == (7.0, 6.8, 7.2)
        assert last.reason.startswith("mean 7 (6.8 to 7.2, 95%, 100 samples): ")


def test_a_floor_needs_no_baseline() -> None:
    candidate = side("candidate", 7.0, 6.8, 7.2)
    assert decided({"min": 6.5}, [candidate], []).decision == "GO"
    assert decided({"min": 6.5, "max_drop": 1}, [candidate], []).decision == "NO_GO"


@pytest.mark.parametrize(
    ("metrics", "decision", "reason"),
    [
        ([], "NO_GO", "not scored on the candidate"),
        ([side("candidate", 7, 6.8, 7.2, n=49)], "INCONCLUSIVE", "49 samples are fewer than"),
        (
            [Metric(name="overall", side="candidate", value=7.0, n=100)],
            "NO_GO",
            "a total without an interval",
        ),
        (
            [
                Metric(
                    name="overall",
                    side="candidate",
                    value=7.0,
                    n=94,
                    low=6.8,
                    high=7.2,
                    unscored={"timeout": 6},
                )
            ],
            "INCONCLUSIVE",
            "6.0% of the candidate is unscored",
        ),
        ([side("candidate", 7.0, 7.0, 7.0)], "INCONCLUSIVE", "all the same"),
    ],
)
def test_a_floor_on_what_was_not_seen_proves_nothing(
    metrics: list[Metric], decision: str, reason: str
) -> None:
    gate = decided({"min": 6.5}, metrics, [])
    assert gate.decision == decision
    assert reason in gate.rulings[0].reason


@pytest.mark.parametrize(
    ("percent", "difference", "direction", "expected"),
    [
        ("5%", (-0.3, 0.1), "higher", "GO"),  # 5% of 6.8 at least is 0.34
        ("5 %", (-0.34, 0.1), "higher", "GO"),
        ("5%", (-0.35, 0.1), "higher", "INCONCLUSIVE"),  # 5% of 7 is 0.35, of 6.8 it is not
        ("5%", (-0.9, -0.35), "higher", "INCONCLUSIVE"),  # and 5% of 7.2 is 0.36
        ("5%", (-0.9, -0.37), "higher", "NO_GO"),
        ("5%", (-0.1, 0.3), "lower", "GO"),
        ("5%", (0.37, 0.9), "lower", "NO_GO"),
        ("5%", (-0.3, 0.3), "neither", "GO"),
        ("5%", (-0.9, -0.37), "neither", "NO_GO"),
        ("0%", (0.01, 0.3), "higher", "GO"),
        ("0%", (-0.01, 0.3), "higher", "INCONCLUSIVE"),
        ("-5%", (0.37, 0.9), "higher", "GO"),  # a gain of 5% is demanded
        ("-5%", (0.35, 0.9), "higher", "INCONCLUSIVE"),
        ("-5%", (0.1, 0.33), "higher", "NO_GO"),
        ("2.5%", (-0.17, 0.1), "higher", "GO"),
    ],
)
def test_a_percentage_is_of_a_baseline_that_is_itself_an_estimate(
    percent: str, difference: tuple[float, float], direction: Direction, expected: str
) -> None:
    metrics = [side("baseline", 7.0, 6.8, 7.2), side("candidate", 7.0, 6.8, 7.2)]
    gate = decided({"max_drop": percent}, metrics, [compared(*difference, direction=direction)])
    assert gate.decision == expected
    assert "of the baseline is" in gate.rulings[0].reason


def test_a_percentage_of_an_unknown_baseline_proves_nothing() -> None:
    gate = decided({"max_drop": "5%"}, [side("candidate", 7, 6.8, 7.2)], [compared(0.1, 0.5)])
    assert gate.decision == "INCONCLUSIVE"
    assert "5% of the baseline is not known" in gate.rulings[0].reason


def test_a_percentage_of_a_baseline_around_0_allows_nothing() -> None:
    metrics = [side("baseline", 0.1, -0.3, 0.5), side("candidate", 0.1, -0.3, 0.5)]
    assert decided({"max_drop": "50%"}, metrics, [compared(-0.01, 0.2)]).decision != "GO"
    assert decided({"max_drop": "50%"}, metrics, [compared(0.01, 0.2)]).decision == "GO"


def at_the_bound(
    random: np.random.Generator, n: int, correlation: float, part: float
) -> tuple[Floats, Floats]:
    """Return scores of two sides of which the candidate's true mean is `part` below the other's."""
    before, other = random.normal(size=(2, n))
    now = correlation * before + (1 - correlation**2) ** 0.5 * other
    return 20 + 15 * before, 20 * (1 - part) + 15 * now


def ends(values: Floats) -> tuple[float, float, float]:
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return mean, mean - half, mean + half


@pytest.mark.parametrize(
    ("n", "correlation", "part"),
    [(100, 0.0, 0.2), (100, 0.9, 0.2), (100, 0.5, 0.5), (100, 0.9, 0.5), (400, 0.98, 0.5)],
)
def test_a_loss_of_exactly_the_percentage_is_not_let_through(
    n: int, correlation: float, part: float
) -> None:
    """A percentage of the baseline that was seen, as if it were known, lets through up to 23%."""
    random, runs, passed = np.random.default_rng(16), 1500, 0
    policy = read_policy({"rules": {"overall": {"max_drop": f"{part:.0%}"}}}, "gate")
    for _ in range(runs):
        before, now = at_the_bound(random, n, correlation, part)
        metrics = [side("baseline", *ends(before)), side("candidate", *ends(now))]
        difference, low, high = ends(now - before)
        seen = replace(compared(low, high, n), difference=difference)
        passed += decide(policy, Evidence(metrics=metrics, comparisons=[seen])).decision == "GO"
    assert passed / runs <= 0.03


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        (["baseline", "accepted"], ["overall vs accepted: max_drop 0.3"]),
        (["accepted"], ["overall vs accepted: max_drop 0.3", "overall: min 6"]),
    ],
)
def test_a_floor_is_ruled_on_once(against: list[str], expected: list[str]) -> None:
    rules = {"overall": {"max_drop": 0.3, "min": 6}}
    policy = read_policy({"rules": rules, "against": against}, "gate")
    metrics = [side("baseline", 7.0, 6.9, 7.1), side("candidate", 7.0, 6.8, 7.2)]
    seen = Evidence(metrics=metrics, comparisons=[compared(-0.2, 0.1)])
    later = decide(policy, replace(seen, against="accepted"))
    assert [ruling.rule for ruling in later.rulings] == expected
    unproven = replace(seen, against="accepted", unproven={"overall": "the judge has changed"})
    first, *others = decide(policy, unproven).rulings
    assert (first.decision, first.reason) == ("INCONCLUSIVE", "the judge has changed")
    assert [ruling.decision for ruling in others] == ["GO"] * len(others)


def test_two_gates_are_one_that_both_must_pass() -> None:
    policy = read_policy({"rules": {"overall": {"max_drop": 0.3, "min": 6}}}, "gate")
    metrics = [side("baseline", 7.0, 6.9, 7.1), side("candidate", 7.0, 6.8, 7.2)]
    good, bad = (
        Evidence(metrics=metrics, comparisons=[compared(*around)])
        for around in ((-0.2, 0.1), (-0.9, -0.4))
    )
    first = decide(policy, good)
    later = both(first, decide(policy, replace(good, against="accepted")))
    assert later.decision == "GO"
    assert later.stopped
    assert first.stopped
    assert later.stopped[1] > first.stopped[1]
    assert both(first, decide(policy, replace(bad, against="accepted"))).decision == "NO_GO"
    floor = read_policy({"rules": {"overall": {"min": 6}}}, "gate")
    alone = decide(floor, replace(good, against="accepted"))
    assert both(decide(floor, good), alone).decision == "GO"
