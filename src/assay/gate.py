"""The gate: a policy and the paired comparisons of a run -> GO, NO_GO or INCONCLUSIVE, with a
reason for each rule.

A rule bounds the loss of one metric. It is GO only where the whole 95% interval of the loss lies
inside `max_drop`, NO_GO where the whole interval lies beyond it, and INCONCLUSIVE where the
interval straddles it: absence of proof is no proof. What cannot be compared at all blocks. Nothing
is GO while a rule is ignored, or rests on a judge whose self-test was not answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen

from assay import exits
from assay.records import Comparison, Metric

Decision = Literal["GO", "NO_GO", "INCONCLUSIVE"]
IGNORED: Literal["IGNORED"] = "IGNORED"
_WAYS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "neither": "any change is a loss",
}
_NO_DIRECTION = (
    "the metric does not say which way is better, so a rise may be a gain or a loss: let it return "
    "a record with its direction, and compute the metrics again"
)
EXIT_CODES: Mapping[str, int] = {
    "GO": exits.DONE,
    "NO_GO": exits.FAILED,
    "INCONCLUSIVE": exits.INCONCLUSIVE,
}


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
    one. The judge's metrics are ignored where it failed its self-test, and prove nothing where the
    self-test was not answered, unless `trust_advisory`; with `require_admitted` they prove nothing
    either where people's labels do not admit the judge, or nobody labelled (assay calibrate)."""

    rules: Annotated[Mapping[str, Bound], MinLen(1)]
    min_pairs: Annotated[int, Ge(10)] = 50
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.05
    trust_advisory: bool = False
    require_admitted: bool = False


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the gate says of one rule, and why."""

    rule: str
    decision: Literal["GO", "NO_GO", "INCONCLUSIVE", "IGNORED"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate's decision: NO_GO where a rule is broken, else INCONCLUSIVE where one is not
    proven or is ignored, else GO."""

    decision: Decision
    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a gate decides on. `judged` names the judge's metrics, `advisory` says that it failed
    its self-test, `untested` names the answers of the self-test that got no verdict, and `void`
    holds what makes any comparison of the two sides meaningless."""

    metrics: Sequence[Metric]
    comparisons: Sequence[Comparison]
    judged: frozenset[str] = field(default_factory=frozenset)
    advisory: bool = False
    untested: Sequence[str] = ()
    unadmitted: Mapping[str, str] = field(default_factory=dict)
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
    elif decisions == {"GO"}:
        decision = "GO"
    return Gate(decision=decision, rulings=tuple(rulings))


def headline(gate: Gate) -> str:
    """Return the decision and how many rules it rests on, as one line."""
    counts = Counter(ruling.decision for ruling in gate.rulings)
    of_all = f"of {len(gate.rulings)} rule{'s' * (len(gate.rulings) != 1)}"
    tally = {
        "GO": f"{counts['GO']} {of_all} hold",
        "NO_GO": f"{counts['NO_GO']} {of_all} broken",
        "INCONCLUSIVE": f"{counts['INCONCLUSIVE'] + counts[IGNORED]} {of_all} not proven",
    }[gate.decision]
    ignored = f", {counts[IGNORED]} ignored" if counts[IGNORED] else ""
    return f"{gate.decision.replace('_', '-')}: {tally}{ignored}"


def describe(gate: Gate) -> str:
    """Return a decision as text: one line, and one for each rule."""
    rules = [f"  {ruling.decision:12} {ruling.rule}: {ruling.reason}" for ruling in gate.rulings]
    return "\n".join([headline(gate), *rules])


def _rule(name: str, bound: Bound, policy: GatePolicy, evidence: Evidence) -> Ruling:
    rule = f"{name}: max_drop {bound.max_drop:g}"
    if name in evidence.judged and evidence.advisory and not policy.trust_advisory:
        reason = "the judge failed its self-test, so its scores are advisory"
        return Ruling(rule=rule, decision=IGNORED, reason=reason)
    sides = [metric for metric in evidence.metrics if metric.name == name]
    compared = next(
        (comparison for comparison in evidence.comparisons if comparison.name == name), None
    )
    if compared is None:
        return Ruling(rule=rule, decision="NO_GO", reason=_absent(sides))
    if compared.direction == "unknown":
        return Ruling(rule=rule, decision="INCONCLUSIVE", reason=_NO_DIRECTION)
    lacking = _lacking(sides, compared, policy)
    if lacking:
        return Ruling(rule=rule, decision="INCONCLUSIVE", reason=lacking)
    if policy.require_admitted and name in evidence.unadmitted:
        reason = f"{evidence.unadmitted[name]}, and the policy requires that it is admitted"
        return Ruling(rule=rule, decision="INCONCLUSIVE", reason=reason)
    ruling = _within(rule, bound, compared)
    if ruling.decision == "GO" and name in evidence.judged and not policy.trust_advisory:
        return _tested(ruling, evidence.untested)
    return ruling


def _tested(ruling: Ruling, untested: Sequence[str]) -> Ruling:
    """Return `ruling`, a GO, as INCONCLUSIVE where the judge's self-test was not answered."""
    if not untested:
        return ruling
    reason = (
        f"{ruling.reason}, but the judge is not tested: it gave no verdict on "
        f"{', '.join(untested)} of its self-test; judge again"
    )
    return replace(ruling, decision="INCONCLUSIVE", reason=reason)


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
    estimate = (
        f"difference {compared.difference:+.3g} ({compared.low:+.3g} to {compared.high:+.3g}, 95%, "
        f"{compared.n:,} pairs; {_WAYS[compared.direction]})"
    )
    if compared.low == compared.high:
        reason = f"{estimate}: all the same, and how far one can differ is not known of this metric"
        return Ruling(rule=rule, decision="INCONCLUSIVE", reason=reason)
    if most <= bound.max_drop:
        return Ruling(rule=rule, decision="GO", reason=f"{estimate}: within the bound")
    if least > bound.max_drop:
        return Ruling(rule=rule, decision="NO_GO", reason=f"{estimate}: all beyond the bound")
    reason = f"{estimate}: on both sides of the bound"
    return Ruling(rule=rule, decision="INCONCLUSIVE", reason=reason)


def _loss(compared: Comparison) -> tuple[float, float]:
    """Return the least and the most that was lost, by the interval; of a metric of which neither
    way is better, any change is a loss."""
    if compared.direction == "lower":
        return compared.low, compared.high
    if compared.direction == "higher":
        return -compared.high, -compared.low
    reach = (abs(compared.low), abs(compared.high))
    straddles = compared.low <= 0 <= compared.high
    return (0.0 if straddles else min(reach)), max(reach)
