"""One rule: a ruling for each of its bounds, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from assay.gate.claim import Claim, Sight, of_drop, of_mean
from assay.gate.evidence import IGNORED, Evidence, Ruling
from assay.gate.policy import ADVISORY, BASELINE, CRITICAL, Bound, GatePolicy
from assay.gate.size import MOST_SAMPLES, in_words, more_samples, rounded
from assay.records import Metric

Ruled = tuple[Ruling, Claim | None]
"""A ruling, and the claim that it is of where the metric was seen well enough for one."""

_UNTRUSTED = "the judge failed its self-test, so its scores are advisory"
_UNADMITTED = "{}, and the policy requires that it is admitted"
_NO_DIRECTION = (
    "the metric does not say which way is better, so a rise may be a gain or a loss: let it return "
    "a record with its direction, and compute the metrics again"
)
_TOTAL = "it is a total without an interval, which proves nothing"
_ALL_THE_SAME = "all the same, and how far one can differ is not known of this metric"


def rulings(name: str, bound: Bound, policy: GatePolicy, evidence: Evidence) -> Iterator[Ruled]:
    """Yield what `policy` says of each bound on the metric `name`."""
    trusted = name not in evidence.judged or policy.trust_advisory
    for kind, limit in bound.parts.items():
        compares = kind == "max_drop"
        if evidence.against and not compares and BASELINE in policy.against:
            continue  # said once: it is of the candidate alone
        blank = _blank(name, f"{kind} {_shown(limit)}", bound, evidence.against if compares else "")
        if evidence.advisory and not trusted:
            yield replace(blank, decision=IGNORED, reason=_UNTRUSTED), None
            continue
        if policy.require_admitted and name in evidence.unadmitted:
            yield replace(blank, reason=_UNADMITTED.format(evidence.unadmitted[name])), None
            continue
        if compares and name in evidence.unproven:
            yield replace(blank, reason=evidence.unproven[name]), None
            continue
        ruling, claim = _ruled(blank, kind, bound, policy, _sight(name, evidence))
        yield (ruling if trusted else _tested(ruling, evidence.untested)), claim


def _shown(limit: float | str) -> str:
    return limit if isinstance(limit, str) else f"{limit:g}"


def _blank(name: str, part: str, bound: Bound, against: str) -> Ruling:
    """Return a ruling that says nothing yet."""
    tier = "" if bound.tier == CRITICAL else f" ({bound.tier})"
    return Ruling(
        rule=f"{name}{f' vs {against}' if against else ''}: {part}{tier}",
        decision="INCONCLUSIVE",
        reason="",
        tier=bound.tier,
        binding=bound.tier != ADVISORY,
        metric=name,
    )


def _sight(name: str, evidence: Evidence) -> Sight:
    sides = {metric.side: metric for metric in evidence.metrics if metric.name == name}
    pairs = {each.name: each for each in evidence.comparisons}
    return Sight(
        baseline=sides.get("baseline"),
        candidate=sides.get("candidate"),
        compared=pairs.get(name),
        against=evidence.against or BASELINE,
    )


def _ruled(blank: Ruling, kind: str, bound: Bound, policy: GatePolicy, sight: Sight) -> Ruled:
    if kind == "max_drop":
        return _drop(blank, bound, policy, sight)
    if kind == "min":
        return _mean(blank, of_mean(float(bound.min or 0), -1, sight), policy, sight)
    return _mean(blank, of_mean(float(bound.max or 0), 1, sight), policy, sight)


def _drop(blank: Ruling, bound: Bound, policy: GatePolicy, sight: Sight) -> Ruled:
    if sight.compared is None:
        return replace(blank, decision="NO_GO", reason=_absent(sight)), None
    if sight.compared.direction == "unknown":
        return replace(blank, reason=_NO_DIRECTION), None
    lacking = _lacking("pairs", sight.compared.n, policy, (sight.baseline, sight.candidate))
    if lacking:
        return replace(blank, reason=lacking), None
    claim = of_drop(bound, sight)
    if claim is None:
        part = f"{bound.max_drop} of the {sight.against}"
        reason = f"{part} is not known: it has no interval of its own"
        return replace(blank, reason=reason), None
    return _held_to(blank, claim), claim


def _mean(blank: Ruling, claim: Claim | None, policy: GatePolicy, sight: Sight) -> Ruled:
    if sight.candidate is None or sight.candidate.value is None:
        reason = "it is not scored on the candidate, so nothing is proven"
        return replace(blank, decision="NO_GO", reason=reason), None
    lacking = _lacking("samples", sight.candidate.n, policy, (sight.candidate,))
    if lacking:
        return replace(blank, reason=lacking), None
    if claim is None:
        return replace(blank, decision="NO_GO", reason=_TOTAL), None
    return _held_to(blank, claim), claim


def _absent(sight: Sight) -> str:
    sides = (sight.baseline, sight.candidate)
    if all(metric and metric.value is not None for metric in sides):
        return _TOTAL
    return "it is not scored on both sides, so nothing is proven"


def _lacking(what: str, n: int, policy: GatePolicy, sides: Sequence[Metric | None]) -> str:
    """Return why `n` samples are no ground for a decision, "" where they are one."""
    if n < policy.min_pairs:
        more = policy.min_pairs - n
        return f"{n:,} {what} are fewer than min_pairs {policy.min_pairs:,}: {more:,} more needed"
    for metric in sides:
        unscored = sum(metric.unscored.values()) if metric else 0
        share = unscored / (metric.n + unscored) if metric else 0.0
        if metric and share > policy.max_unscored:
            return (
                f"{share:.1%} of the {metric.side} is unscored, more than max_unscored "
                f"{policy.max_unscored:.1%}"
            )
    return ""


def _held_to(blank: Ruling, claim: Claim) -> Ruling:
    """Return the ruling on a claim: by its whole interval, or by none."""
    estimate, low, high, bound = claim.figures
    ruling = replace(blank, estimate=estimate, low=low, high=high, bound=bound)
    if low == high:
        return replace(ruling, reason=f"{claim.seen}: {_ALL_THE_SAME}")
    if claim.high <= claim.least:
        return replace(ruling, decision="GO", reason=f"{claim.seen}: within the bound")
    if claim.low > claim.most:
        return replace(ruling, decision="NO_GO", reason=f"{claim.seen}: all beyond the bound")
    more = more_samples(claim)
    return replace(
        ruling,
        reason=f"{claim.seen}: on both sides of the bound; {in_words(more)}",
        more=rounded(more) if more <= MOST_SAMPLES else None,
        binding=blank.tier == CRITICAL,  # a supporting one that was well seen need not be proven
    )


def _tested(ruling: Ruling, untested: Sequence[str]) -> Ruling:
    """Return `ruling` as not proven where the judge's self-test was not answered: a GO, and what
    need not be proven where it was well seen."""
    if not untested or ruling.decision == "NO_GO":
        return ruling
    seen = ruling.decision == "GO" or (ruling.tier != ADVISORY and not ruling.binding)
    if not seen:
        return ruling
    reason = (
        f"{ruling.reason}, but the judge is not tested: it gave no verdict on "
        f"{', '.join(untested)} of its self-test; judge again"
    )
    binding = ruling.tier != ADVISORY
    return replace(ruling, decision="INCONCLUSIVE", reason=reason, binding=binding)
