"""Tiers: what keeps a gate from GO, and what is only told."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from assay.gate import Bound, Evidence, Gate, GatePolicy, decide, describe, headline, read_policy
from assay.report.junit import to_junit
from assay.report.section import Checks, Section
from tests.unit.gate.test_gate import compared, sides

HOLDS, STRADDLES, BROKEN = (-0.2, 0.1), (-0.5, 0.1), (-0.9, -0.4)


def decided(tier: str, seen: tuple[float, float], *, n: int = 100, **evidence: object) -> Gate:
    """Return what is decided where a critical rule on rouge-l holds, and one of `tier` on overall
    is as it was `seen`."""
    rules = {"rouge-l": {"max_drop": 0.3}, "overall": {"max_drop": 0.3, "tier": tier}}
    given = Evidence(
        metrics=[*sides("overall", n=n), *sides("rouge-l")],
        comparisons=[compared(*seen, n=n), compared(*HOLDS, name="rouge-l")],
        judged=frozenset({"overall"}),
        **evidence,  # type: ignore[arg-type]
    )
    return decide(read_policy({"rules": rules}, "gate"), given)


@pytest.mark.parametrize(
    ("tier", "seen", "expected"),
    [
        ("critical", HOLDS, "GO"),
        ("critical", STRADDLES, "INCONCLUSIVE"),
        ("critical", BROKEN, "NO_GO"),
        ("supporting", HOLDS, "GO"),
        ("supporting", STRADDLES, "GO"),
        ("supporting", BROKEN, "NO_GO"),
        ("advisory", HOLDS, "GO"),
        ("advisory", STRADDLES, "GO"),
        ("advisory", BROKEN, "GO"),
    ],
)
def test_a_tier_says_what_a_rule_decides(
    tier: str, seen: tuple[float, float], expected: str
) -> None:
    assert decided(tier, seen).decision == expected


@pytest.mark.parametrize("seen", [HOLDS, STRADDLES, BROKEN])
@pytest.mark.parametrize(
    ("tier", "expected"),
    [("critical", "INCONCLUSIVE"), ("supporting", "INCONCLUSIVE"), ("advisory", "GO")],
)
def test_what_is_ignored_and_matters_is_never_go(
    tier: str, expected: str, seen: tuple[float, float]
) -> None:
    assert decided(tier, seen, advisory=True).decision == expected


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("critical", "INCONCLUSIVE"), ("supporting", "INCONCLUSIVE"), ("advisory", "GO")],
)
@pytest.mark.parametrize("seen", [HOLDS, STRADDLES])
def test_a_judge_that_is_not_tested_has_not_looked(
    tier: str, expected: str, seen: tuple[float, float]
) -> None:
    assert decided(tier, seen, untested=("gold",)).decision == expected


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("critical", "INCONCLUSIVE"), ("supporting", "INCONCLUSIVE"), ("advisory", "GO")],
)
def test_too_few_pairs_would_not_have_shown_a_loss(tier: str, expected: str) -> None:
    assert decided(tier, HOLDS, n=20).decision == expected


def test_without_a_critical_rule_nothing_is_proven() -> None:
    given = Evidence(metrics=sides("overall"), comparisons=[compared(*HOLDS)])
    for tier in ("supporting", "advisory"):
        policy = GatePolicy(rules={"overall": Bound(max_drop=0.3, tier=tier)})
        assert decide(policy, given).decision == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("tier", "seen", "expected"),
    [
        ("supporting", STRADDLES, "GO: 1 of 2 rules hold, 1 supporting not proven"),
        ("advisory", BROKEN, "GO: 1 of 2 rules hold, 1 advisory broken"),
        ("advisory", STRADDLES, "GO: 1 of 2 rules hold, 1 advisory not proven"),
        ("supporting", BROKEN, "NO-GO: 1 of 2 rules broken"),
        ("critical", STRADDLES, "INCONCLUSIVE: 1 of 2 rules not proven"),
    ],
)
def test_what_does_not_decide_is_told_all_the_same(
    tier: str, seen: tuple[float, float], expected: str
) -> None:
    gate = decided(tier, seen)
    assert headline(gate) == expected
    marked = "" if tier == "critical" else f" ({tier})"
    assert f"overall: max_drop 0.3{marked}: difference" in describe(gate)
    assert "NO_GO" not in describe(gate)  # which is what files call it


@pytest.mark.parametrize(
    ("tier", "seen", "tag"),
    [
        ("critical", HOLDS, None),
        ("critical", STRADDLES, "error"),
        ("supporting", STRADDLES, "skipped"),
        ("supporting", BROKEN, "failure"),
        ("advisory", BROKEN, "skipped"),
    ],
)
def test_a_ci_fails_where_the_gate_does(
    tier: str, seen: tuple[float, float], tag: str | None
) -> None:
    gate = decided(tier, seen)
    section = Section(name="gate", title="Gate", blocks=(Checks(rulings=gate.rulings),))
    suite = fromstring(to_junit([section], "Nightly"))  # noqa: S314  our own
    assert [child.tag for case in suite for child in case] == ([tag] if tag else [])
    bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    assert (bad > 0) == (gate.decision != "GO")
