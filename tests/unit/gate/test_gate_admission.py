"""A policy that asks for an admitted judge: what an unadmitted one scored proves nothing."""

from __future__ import annotations

import pytest

from assay.errors import SettingsError
from assay.gate import Evidence, GatePolicy, decide
from assay.settings import build
from tests.unit.gate.test_gate import compared, sides

WHY = {"overall": "the judge is not calibrated"}


@pytest.mark.parametrize(
    ("low", "required", "unadmitted", "expected"),
    [
        (-0.2, True, WHY, "INCONCLUSIVE"),
        (-0.2, True, {}, "GO"),
        (-0.2, True, {"clarity": "the judge is not admitted"}, "GO"),
        (-0.2, False, WHY, "GO"),
        (-0.9, True, WHY, "INCONCLUSIVE"),
        (-0.9, True, {}, "NO_GO"),
        (-0.9, False, WHY, "NO_GO"),
    ],
)
def test_what_an_unadmitted_judge_scored_proves_nothing(
    low: float, required: bool, unadmitted: dict[str, str], expected: str
) -> None:
    asked = {"rules": {"overall": {"max_drop": 0.3}}, "require_admitted": required}
    evidence = Evidence(
        metrics=sides("overall"),
        comparisons=[compared(low, low + 0.3)],
        judged=frozenset({"overall"}),
        unadmitted=unadmitted,
    )
    gate = decide(build(GatePolicy, asked, "gate"), evidence)
    assert gate.decision == expected
    told = "the judge is not calibrated, and the policy requires that it is admitted"
    assert (gate.rulings[0].reason == told) == (required and unadmitted == WHY)


def test_what_no_judge_scored_needs_no_admission() -> None:
    asked = {"rules": {"bleu-4": {"max_drop": 0.3}}, "require_admitted": True}
    evidence = Evidence(metrics=sides("bleu-4"), comparisons=[compared(-0.2, 0.1, name="bleu-4")])
    assert decide(build(GatePolicy, asked, "gate"), evidence).decision == "GO"


def test_requiring_is_yes_or_no() -> None:
    with pytest.raises(SettingsError, match=r"gate\.require_admitted"):
        build(GatePolicy, {"rules": {"a": {"max_drop": 1}}, "require_admitted": "clarity"}, "gate")
