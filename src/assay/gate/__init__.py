"""The gate: a policy and what a run has shown -> GO, NO_GO or INCONCLUSIVE, with a reason for each
rule.

A rule bounds what a metric may lose against the baseline, or the candidate's own mean. It is GO
only where the whole 95% interval lies within the bound, NO_GO where the whole interval lies beyond
it, and INCONCLUSIVE where the interval straddles it: absence of proof is no proof. What cannot be
compared at all blocks. Nothing is GO while a rule that matters is ignored, or rests on a judge
whose self-test was not answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay import exits
from assay.gate.check import (
    check_baseline,
    check_coverage,
    check_pairs,
    check_rules,
    check_subsets,
)
from assay.gate.evidence import IGNORED, Decision, Evidence, Gate, Ruling
from assay.gate.policy import (
    ACCEPTED,
    BASELINE,
    CRITICAL,
    TIERS,
    Bound,
    GatePolicy,
    Tier,
    check_policy,
    read_policy,
)
from assay.gate.ruling import rulings
from assay.gate.size import stopped, together
from assay.gate.subset import subsets
from assay.gate.wording import FOREIGN, called, describe, headline, remark

__all__ = [
    "ACCEPTED",
    "BASELINE",
    "EXIT_CODES",
    "FOREIGN",
    "IGNORED",
    "Bound",
    "Decision",
    "Evidence",
    "Gate",
    "GatePolicy",
    "Ruling",
    "Tier",
    "both",
    "called",
    "check_baseline",
    "check_coverage",
    "check_pairs",
    "check_policy",
    "check_rules",
    "check_subsets",
    "decide",
    "describe",
    "headline",
    "read_policy",
    "remark",
    "subsets",
]

EXIT_CODES: Mapping[str, int] = {
    "GO": exits.DONE,
    "NO_GO": exits.FAILED,
    "INCONCLUSIVE": exits.INCONCLUSIVE,
}


def decide(policy: GatePolicy, evidence: Evidence) -> Gate:
    """Return what `policy` says of a run, critical rules first."""
    rules = sorted(policy.rules.items(), key=lambda rule: TIERS.index(rule[1].tier))
    ruled = [each for rule in rules for each in rulings(*rule, policy, evidence)]
    void = [
        Ruling(rule="valid comparison", decision="NO_GO", reason=reason) for reason in evidence.void
    ]
    claims = [claim for ruling, claim in ruled if claim and ruling.tier == CRITICAL]
    given = (*void, *(ruling for ruling, _ in ruled))
    return Gate(decision=_decision(given), rulings=given, stopped=stopped(claims))


def both(first: Gate, second: Gate) -> Gate:
    """Return two gates as one that both have to pass."""
    given = (*first.rulings, *second.rulings)
    chances = [gate.stopped for gate in (first, second) if gate.stopped]
    return Gate(decision=_decision(given), rulings=given, stopped=together(chances))


def _decision(given: Sequence[Ruling]) -> Decision:
    binding = {ruling.decision for ruling in given if ruling.binding}
    if "NO_GO" in binding:
        return "NO_GO"
    # where nothing critical holds, nothing is proven
    proven = any(ruling.decision == "GO" for ruling in given if ruling.tier == CRITICAL)
    return "GO" if proven and binding == {"GO"} else "INCONCLUSIVE"
