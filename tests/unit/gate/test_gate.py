"""The gate: three answers, a reason for each rule, and nothing passes without proof."""

from __future__ import annotations

import pytest

from assay.errors import SettingsError
from assay.gate import Bound, Evidence, Gate, GatePolicy, decide, headline
from assay.records import Comparison, Metric
from assay.settings import build


def compared(low: float, high: float, n: int = 100, name: str = "overall") -> Comparison:
    middle = (low + high) / 2
    return Comparison(
        name=name,
        n=n,
        difference=middle,
        low=low,
        high=high,
        better=0,
        equal=n,
        worse=0,
        detectable=0.1,
    )


def sides(name: str, n: int = 100, unscored: int = 0, low: float | None = 6.0) -> list[Metric]:
    causes = {"timeout": unscored} if unscored else {}
    return [
        Metric(name=name, side=side, value=7.0, n=n, low=low, high=8.0, unscored=causes)
        for side in ("baseline", "candidate")
    ]


def decided(difference: Comparison, max_drop: float, **policy: object) -> Gate:
    name = difference.name
    rules = {"rules": {name: {"max_drop": max_drop}}, **policy}
    evidence = Evidence(metrics=sides(name), comparisons=[difference])
    return decide(build(GatePolicy, rules, "gate"), evidence)


@pytest.mark.parametrize(
    ("difference", "max_drop", "expected"),
    [
        (compared(-0.2, 0.1), 0.3, "GO"),
        (compared(-0.3, 0.1), 0.3, "GO"),
        (compared(0.1, 0.5), 0.0, "GO"),
        (compared(-0.5, 0.1), 0.3, "INCONCLUSIVE"),
        (compared(-9.0, 9.0), 0.3, "INCONCLUSIVE"),
        (compared(-0.9, -0.4), 0.3, "NO_GO"),
        (compared(0.1, 0.5), -0.3, "INCONCLUSIVE"),  # a gain of 0.3 is demanded
        (compared(0.4, 0.5), -0.3, "GO"),
        (compared(0.1, 0.2), -0.3, "NO_GO"),
        (compared(-0.2, 0.1, name="empty"), 0.3, "GO"),  # lower is better
        (compared(0.4, 0.9, name="empty"), 0.3, "NO_GO"),
        (compared(-0.9, -0.4, name="empty"), 0.3, "GO"),
        (compared(-0.2, 0.1, name="length-ratio"), 0.3, "GO"),  # any change is a loss
        (compared(0.4, 0.9, name="length-ratio"), 0.3, "NO_GO"),
        (compared(-0.9, -0.4, name="length-ratio"), 0.3, "NO_GO"),
        (compared(-0.1, 0.4, name="length-ratio"), 0.3, "INCONCLUSIVE"),
    ],
)
def test_only_a_loss_whose_whole_interval_is_inside_passes(
    difference: Comparison, max_drop: float, expected: str
) -> None:
    assert decided(difference, max_drop).decision == expected


def test_too_few_pairs_prove_nothing() -> None:
    gate = decided(compared(0.1, 0.5, n=49), 0.3)
    assert gate.decision == "INCONCLUSIVE"
    assert gate.rulings[0].reason == "49 pairs are fewer than min_pairs 50"
    assert decided(compared(0.1, 0.5, n=49), 0.3, min_pairs=20).decision == "GO"


def test_too_many_unscored_prove_nothing() -> None:
    rules = GatePolicy(rules={"overall": Bound(max_drop=1)})
    metrics = sides("overall", n=94, unscored=6)
    gate = decide(rules, Evidence(metrics=metrics, comparisons=[compared(0.1, 0.2)]))
    assert gate.decision == "INCONCLUSIVE"
    assert "6.0% of the baseline is unscored, more than max_unscored 5.0%" in gate.rulings[0].reason


def test_a_missing_metric_blocks() -> None:
    rules = GatePolicy(rules={"overall": Bound(max_drop=1), "bleu-4": Bound(max_drop=1)})
    evidence = Evidence(metrics=sides("overall"), comparisons=[compared(0.1, 0.2)])
    gate = decide(rules, evidence)
    assert gate.decision == "NO_GO"
    assert [ruling.decision for ruling in gate.rulings] == ["GO", "NO_GO"]
    assert "not scored on both sides" in gate.rulings[1].reason


def test_a_total_without_an_interval_blocks() -> None:
    rules = GatePolicy(rules={"accuracy": Bound(max_drop=1)})
    gate = decide(rules, Evidence(metrics=sides("accuracy", low=None), comparisons=[]))
    assert gate.decision == "NO_GO"
    assert "a total without an interval" in gate.rulings[0].reason


def test_an_advisory_judge_is_ignored_unless_it_is_trusted() -> None:
    rules = {"overall": Bound(max_drop=1), "bleu-4": Bound(max_drop=1)}
    evidence = Evidence(
        metrics=[*sides("overall"), *sides("bleu-4")],
        comparisons=[compared(-9, -8), compared(0.1, 0.2, name="bleu-4")],
        judged=frozenset({"overall"}),
        advisory=True,
    )
    gate = decide(GatePolicy(rules=rules), evidence)
    assert [ruling.decision for ruling in gate.rulings] == ["IGNORED", "GO"]
    assert "failed its self-test" in gate.rulings[0].reason
    assert (gate.decision, headline(gate)) == ("GO", "GO: 1 of 2 rules hold, 1 ignored")
    trusting = GatePolicy(rules=rules, trust_advisory=True)
    assert decide(trusting, evidence).decision == "NO_GO"


def test_where_all_is_ignored_nothing_is_proven() -> None:
    evidence = Evidence(
        metrics=sides("overall"),
        comparisons=[compared(1, 2)],
        judged=frozenset({"overall"}),
        advisory=True,
    )
    policy = GatePolicy(rules={"overall": Bound(max_drop=1)})
    assert decide(policy, evidence).decision == "INCONCLUSIVE"


def test_what_voids_the_comparison_blocks() -> None:
    evidence = Evidence(
        metrics=sides("overall"), comparisons=[compared(1, 2)], void=["The weights are the same."]
    )
    gate = decide(GatePolicy(rules={"overall": Bound(max_drop=1)}), evidence)
    assert gate.decision == "NO_GO"
    assert gate.rulings[0].reason == "The weights are the same."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rules": {"overall": {"max_drop": 1, "min_dorp": 2}}}, "gate.rules.overall.min_dorp"),
        ({"rules": {"overall": {}}}, "gate.rules.overall.max_drop"),
        ({"rules": {"overall": {"max_drop": "1"}}}, "gate.rules.overall.max_drop = '1'"),
        ({"rules": {}}, "gate.rules"),
        ({"rules": {"a": {"max_drop": 1}}, "min_pair": 3}, "Did you mean min_pairs?"),
        ({"rules": {"a": {"max_drop": 1}}, "min_pairs": 3}, "gate.min_pairs = 3"),
        ({"rules": {"a": {"max_drop": 1}}, "max_unscored": 5}, "gate.max_unscored = 5"),
        ({}, "gate.rules is missing"),
    ],
)
def test_a_policy_that_is_none_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("?", r"\?")):
        build(GatePolicy, values, "gate")


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("overall", "higher is better"),
        ("empty", "lower is better"),
        ("length-ratio", "any change is a loss"),
    ],
)
def test_a_rule_tells_the_estimate_and_which_way_is_better(name: str, way: str) -> None:
    (ruling,) = decided(compared(-0.5, 0.1, name=name), 0.3).rulings
    assert ruling.reason.startswith(f"difference -0.2 (-0.5 to +0.1, 95%, 100 pairs; {way}): ")
