"""The gate: three answers, a reason for each rule, and nothing passes without proof."""

from __future__ import annotations

import math
import re

import pytest

from assay.errors import InputError, SettingsError
from assay.gate import Bound, Evidence, Gate, GatePolicy, decide, headline, read_policy
from assay.records import Comparison, Direction, Metric, MetricSpec, Score
from assay.stats import collect, compare


def compared(
    low: float,
    high: float,
    n: int = 100,
    name: str = "overall",
    direction: Direction = "higher",
) -> Comparison:
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
        direction=direction,
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
    return decide(read_policy(rules, "gate"), evidence)


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
        (compared(-0.2, 0.1, direction="lower"), 0.3, "GO"),
        (compared(0.4, 0.9, direction="lower"), 0.3, "NO_GO"),
        (compared(-0.9, -0.4, direction="lower"), 0.3, "GO"),
        (compared(-0.2, 0.1, direction="neither"), 0.3, "GO"),  # any change is a loss
        (compared(0.4, 0.9, direction="neither"), 0.3, "NO_GO"),
        (compared(-0.9, -0.4, direction="neither"), 0.3, "NO_GO"),
        (compared(-0.1, 0.4, direction="neither"), 0.3, "INCONCLUSIVE"),
    ],
)
def test_only_a_loss_whose_whole_interval_is_inside_passes(
    difference: Comparison, max_drop: float, expected: str
) -> None:
    assert decided(difference, max_drop).decision == expected


@pytest.mark.parametrize("difference", [(-30, -29), (-0.1, 0.1), (29, 30)])
def test_a_metric_that_does_not_say_which_way_is_better_proves_nothing(
    difference: tuple[float, float],
) -> None:
    gate = decided(compared(*difference, direction="unknown"), 1)
    assert gate.decision == "INCONCLUSIVE"
    assert "does not say which way is better" in gate.rulings[0].reason


def test_too_few_pairs_prove_nothing() -> None:
    gate = decided(compared(0.1, 0.5, n=49), 0.3)
    assert gate.decision == "INCONCLUSIVE"
    assert gate.rulings[0].reason == "49 pairs are fewer than min_pairs 50: 1 more needed"
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
    said = "INCONCLUSIVE: 1 of 2 rules not proven, 1 ignored"
    assert (gate.decision, headline(gate)) == ("INCONCLUSIVE", said)
    trusting = GatePolicy(rules=rules, trust_advisory=True)
    assert decide(trusting, evidence).decision == "NO_GO"


@pytest.mark.parametrize(
    ("low", "high", "judged", "trusting", "expected"),
    [
        (0.1, 0.2, True, False, "INCONCLUSIVE"),
        (0.1, 0.2, True, True, "GO"),
        (0.1, 0.2, False, False, "GO"),
        (-2.0, 2.0, True, False, "INCONCLUSIVE"),
        (-9.0, -8.0, True, False, "NO_GO"),
        (-9.0, -8.0, True, True, "NO_GO"),
    ],
)
def test_a_judge_that_is_not_tested_proves_a_loss_and_no_more(
    low: float, high: float, judged: bool, trusting: bool, expected: str
) -> None:
    evidence = Evidence(
        metrics=sides("overall"),
        comparisons=[compared(low, high)],
        judged=frozenset({"overall"} if judged else ()),
        untested=("planted", "gold"),
    )
    policy = GatePolicy(rules={"overall": Bound(max_drop=1)}, trust_advisory=trusting)
    gate = decide(policy, evidence)
    assert gate.decision == expected
    told = "no verdict on planted, gold" in gate.rulings[0].reason
    assert told == (judged and not trusting and low == 0.1)


@pytest.mark.parametrize(
    ("score", "scale", "max_drop", "expected"),
    [
        (8.0, (1, 10), 0, "INCONCLUSIVE"),
        (8.0, (1, 10), 0.6, "INCONCLUSIVE"),
        (8.0, (1, 10), 0.7, "GO"),  # 9 times 1 - 0.025^(1/50) is 0.64
        (8.0, (0, 100), 0.7, "INCONCLUSIVE"),
        (8.0, None, 100, "INCONCLUSIVE"),  # nothing says how far a score can fall
    ],
)
def test_fifty_unchanged_pairs_prove_what_fifty_can(
    score: float, scale: tuple[float, float] | None, max_drop: float, expected: str
) -> None:
    ids = {str(at): at for at in range(50)}
    same = collect(ids, (Score(id=id_, values={"overall": score}) for id_ in ids))
    specs = {"overall": MetricSpec(name="overall", direction="higher", scale=scale)}
    (difference,) = compare(same, same, specs)
    assert decided(difference, max_drop).decision == expected


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
        ({"rules": {"overall": {}}}, "gate.rules.overall bounds nothing. Set max_drop, min or"),
        ({"rules": {"overall": {"max_drop": "1"}}}, "gate.rules.overall.max_drop = '1'"),
        ({"rules": {"overall": {"max_drop": "5 per cent"}}}, "neither a number nor a percentage"),
        ({"rules": {"overall": {"max_drop": True}}}, "gate.rules.overall.max_drop = True: input"),
        ({"rules": {"overall": {"max_drop": [1]}}}, "should be a number or text"),
        ({"rules": {"overall": {"max_drop": math.inf}}}, "overall.max_drop = inf is no finite"),
        ({"rules": {"overall": {"max_drop": f"{'9' * 400}%"}}}, "max_drop = inf bounds nothing"),
        ({"rules": {"overall": {"min": math.nan}}}, "overall.min = nan is no finite number"),
        ({"rules": {"overall": {"min": "7"}}}, "gate.rules.overall.min = '7'"),
        ({"rules": {"overall": {"min": 7, "max": 6}}}, "overall.min = 7 is above its max = 6"),
        ({"rules": {"overall": {"min": 7, "tier": "suporting"}}}, "Did you mean supporting?"),
        ({"rules": {"overall": {"min": 7, "tier": "x"}}}, "gate.rules.overall.tier = 'x'"),
        ({"rules": {"overall": {"min": 7, "tier": "advisory"}}}, "no rule of the tier critical"),
        ({"rules": {"overall": {"min": 7, "tier": "supporting"}}}, "no rule of the tier critical"),
        ({"rules": {"a": {"max_drop": 1}}, "primry": "a"}, "Did you mean primary?"),
        ({"rules": {}}, "gate.rules"),
        ({"rules": {"a": {"max_drop": 1}}, "min_pair": 3}, "Did you mean min_pairs?"),
        ({"rules": {"a": {"max_drop": 1}}, "min_pairs": 3}, "gate.min_pairs = 3"),
        ({"rules": {"a": {"max_drop": 1}}, "max_unscored": 5}, "gate.max_unscored = 5"),
        ({}, "gate.rules is missing"),
    ],
)
def test_a_policy_that_is_none_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_policy(values, "gate")


def test_all_that_is_wrong_with_a_policy_is_told_at_once() -> None:
    rules = {"a": {}, "b": {"max_drop": "many"}, "c": {"min": 7, "max": 6}}
    with pytest.raises(InputError) as caught:
        read_policy({"rules": rules}, "strict.yaml")
    told = str(caught.value).splitlines()
    assert [line.split()[0] for line in told] == [
        "strict.yaml.rules.a",
        "strict.yaml.rules.b.max_drop",
        "strict.yaml.rules.c.min",
    ]


@pytest.mark.parametrize(
    ("direction", "way"),
    [
        ("higher", "higher is better"),
        ("lower", "lower is better"),
        ("neither", "any change is a loss"),
    ],
)
def test_a_rule_tells_the_estimate_and_which_way_is_better(direction: Direction, way: str) -> None:
    (ruling,) = decided(compared(-0.5, 0.1, direction=direction), 0.3).rulings
    assert ruling.reason.startswith(f"difference -0.2 (-0.5 to +0.1, 95%, 100 pairs; {way}): ")
