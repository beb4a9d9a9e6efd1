"""The gate: a policy and the paired comparisons of a run -> GO, NO_GO or INCONCLUSIVE, with a
reason for each rule.

A rule bounds the loss of one metric. It is GO only where the whole 95% interval of the loss lies
inside `max_drop`, NO_GO where the whole interval lies beyond it, and INCONCLUSIVE where the
interval straddles it: absence of proof is no proof. What cannot be compared at all blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen

from assay.records import Comparison, Metric
from assay.stats import direction

Decision = Literal["GO", "NO_GO", "INCONCLUSIVE"]
IGNORED: Literal["IGNORED"] = "IGNORED"
_WAYS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "neither": "any change is a loss",
}
EXIT_CODES: Mapping[str, int] = {"GO": 0, "NO_GO": 1, "INCONCLUSIVE": 3}


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How much of a metric, in its own units, the candidate may lose against the baseline; below
    0, how much it must gain."""

    max_drop: float

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt bound is refused


@dataclass(frozen=True, kw_only=True)
class GatePolicy:
    """What a candidate must prove: `rules` is metric -> Bound. A rule needs `min_pairs` samples
    that both sides have a score for, and at most the share `max_unscored` of either side without
    one. The judge's metrics are ignored where it failed its self-test, unless `trust_advisory`."""

    rules: Annotated[Mapping[str, Bound], MinLen(1)]
    min_pairs: Annotated[int, Ge(10)] = 50
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.05
    trust_advisory: bool = False


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the gate says of one rule, and why."""

    rule: str
    decision: Literal["GO", "NO_GO", "INCONCLUSIVE", "IGNORED"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate's decision: NO_GO where a rule is broken, else INCONCLUSIVE where one is not
    proven or all are ignored, else GO."""

    decision: Decision
    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a gate decides on. `judged` names the judge's metrics, `advisory` says that it failed
    its self-test, and `void` holds what makes any comparison of the two sides meaningless."""

    metrics: Sequence[Metric]
    comparisons: Sequence[Comparison]
    judged: frozenset[str] = field(default_factory=frozenset)
    advisory: bool = False
    void: Sequence[str] = ()


def decide(policy: GatePolicy, evidence: Evidence) -> Gate:
    """Return what `policy` says of a run."""
    rulings = [
        Ruling(rule="valid comparison", decision="NO_GO", reason=reason) for reason in evidence.void
    ]
    rulings += [_rule(name, bound, policy, evidence) for name, bound in policy.rules.items()]
    decisions = {ruling.decision for ruling in rulings}
    decision: Decision = "INCONCLUSIVE"
    if "NO_GO" in decisions:
        decision = "NO_GO"
    elif "GO" in decisions and "INCONCLUSIVE" not in decisions:
        decision = "GO"
    return Gate(decision=decision, rulings=tuple(rulings))


def headline(gate: Gate) -> str:
    """Return the decision and how many rules it rests on, as one line."""
    counts = Counter(ruling.decision for ruling in gate.rulings)
    of_all = f"of {len(gate.rulings)} rule{'s' * (len(gate.rulings) != 1)}"
    said = {
        "GO": f"{counts['GO']} {of_all} hold",
        "NO_GO": f"{counts['NO_GO']} {of_all} broken",
        "INCONCLUSIVE": f"{counts['INCONCLUSIVE']} {of_all} not proven",
    }[gate.decision]
    ignored = f", {counts['IGNORED']} ignored" if counts["IGNORED"] else ""
    return f"{gate.decision.replace('_', '-')}: {said}{ignored}"


def _rule(name: str, bound: Bound, policy: GatePolicy, evidence: Evidence) -> Ruling:
    rule = f"{name}: max_drop {bound.max_drop:g}"
    if name in evidence.judged and evidence.advisory and not policy.trust_advisory:
        reason = "the judge failed its self-test, so its scores are advisory"
        return Ruling(rule=rule, decision=IGNORED, reason=reason)
    sides = [metric for metric in evidence.metrics if metric.name == name]
    compared = next((one for one in evidence.comparisons if one.name == name), None)
    if compared is None:
        return Ruling(rule=rule, decision="NO_GO", reason=_absent(sides))
    lacking = _lacking(sides, compared, policy)
    if lacking:
        return Ruling(rule=rule, decision="INCONCLUSIVE", reason=lacking)
    return _within(rule, bound, compared)


def _absent(sides: Sequence[Metric]) -> str:
    if len(sides) == 2 and all(metric.value is not None for metric in sides):
        return "it is a total without an interval, which proves nothing"
    return "it is not scored on both sides, so nothing is proven"


def _lacking(sides: Sequence[Metric], compared: Comparison, policy: GatePolicy) -> str:
    if compared.n < policy.min_pairs:
        return f"{compared.n} pairs are fewer than min_pairs {policy.min_pairs}"
    for metric in sides:
        unscored = sum(metric.unscored.values())
        share = unscored / (metric.n + unscored)
        if share > policy.max_unscored:
            return (
                f"{share:.1%} of the {metric.side} is unscored, more than max_unscored "
                f"{policy.max_unscored:.1%}"
            )
    return ""


def _within(rule: str, bound: Bound, compared: Comparison) -> Ruling:
    least, most = _loss(compared)
    said = (
        f"difference {compared.difference:+.3g} ({compared.low:+.3g} to {compared.high:+.3g}, 95%, "
        f"{compared.n:,} pairs; {_WAYS[direction(compared.name)]})"
    )
    if most <= bound.max_drop:
        return Ruling(rule=rule, decision="GO", reason=f"{said}: within the bound")
    if least > bound.max_drop:
        return Ruling(rule=rule, decision="NO_GO", reason=f"{said}: all beyond the bound")
    reason = f"{said}: on both sides of the bound"
    return Ruling(rule=rule, decision="INCONCLUSIVE", reason=reason)


def _loss(compared: Comparison) -> tuple[float, float]:
    """Return the least and the most that was lost, by the interval; of a metric of which neither
    way is better, any change is a loss."""
    way = direction(compared.name)
    if way == "lower":
        return compared.low, compared.high
    if way == "higher":
        return -compared.high, -compared.low
    reach = (abs(compared.low), abs(compared.high))
    straddles = compared.low <= 0 <= compared.high
    return (0.0 if straddles else min(reach)), max(reach)
