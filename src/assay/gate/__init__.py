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
from dataclasses import replace

from assay import exits
from assay.gate.check import check_baseline, check_coverage, check_pairs, check_rules
from assay.gate.evidence import IGNORED, Decision, Evidence, Gate, Ruling
from assay.gate.policy import (
    ACCEPTED,
    BASELINE,
    CRITICAL,
    Bound,
    GatePolicy,
    Reference,
    Tier,
    check_policy,
    read_policy,
)
from assay.gate.ruling import rulings
from assay.gate.size import stopped
from assay.gate.wording import describe, headline, remark

__all__ = [
    "ACCEPTED",
    "BASELINE",
    "EXIT_CODES",
    "IGNORED",
    "Bound",
    "Decision",
    "Evidence",
    "Gate",
    "GatePolicy",
    "Reference",
    "Ruling",
    "Tier",
    "check_baseline",
    "check_coverage",
    "check_pairs",
    "check_policy",
    "check_rules",
    "decide",
    "describe",
    "headline",
    "read_policy",
    "remark",
]

EXIT_CODES: Mapping[str, int] = {
    "GO": exits.DONE,
    "NO_GO": exits.FAILED,
    "INCONCLUSIVE": exits.INCONCLUSIVE,
}


def decide(policy: GatePolicy, *evidence: Evidence) -> Gate:
    """Return what `policy` says of a run: what may be lost, against each that the `evidence`
    compares it with, and the candidate's own means by the first of it."""
    ruled = [
        (part, *each)
        for part in evidence
        for name, bound in policy.rules.items()
        for each in rulings(name, _own(bound, part is evidence[0]), policy, part)
    ]
    void = [
        Ruling(rule="valid comparison", decision="NO_GO", reason=reason)
        for part in evidence
        for reason in part.void
    ]
    claims = [
        claim
        for part, ruling, claim in ruled
        if claim and ruling.tier == CRITICAL and part.against == BASELINE
    ]
    given = (*void, *(ruling for _, ruling, _ in ruled))
    return Gate(decision=_decision(given), rulings=given, stopped=stopped(claims))


def _own(bound: Bound, first: bool) -> Bound:
    return bound if first else replace(bound, min=None, max=None)


def _decision(given: Sequence[Ruling]) -> Decision:
    binding = {ruling.decision for ruling in given if ruling.binding}
    if "NO_GO" in binding:
        return "NO_GO"
    # where nothing critical holds, nothing is proven
    proven = any(ruling.decision == "GO" for ruling in given if ruling.tier == CRITICAL)
    return "GO" if proven and binding == {"GO"} else "INCONCLUSIVE"
