"""The last accepted model: how far the candidate is from it, and what the gate says of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import assay.folder as files
from assay import gate as gating
from assay.gate import Evidence, Gate, GatePolicy
from assay.judge import WIN_RATE
from assay.records import Comparison, Metric
from assay.report.assemble import evidence
from assay.report.contents import Accepted, Caution, Reading, Report
from assay.report.glossary import specs_of
from assay.report.history import History
from assay.report.moved import Key, Two, compared, movements
from assay.report.run import EvaluatedRun
from assay.report.trend import history_of, judge_remarks, pairs_with, record_of

_NONE = "no model has been accepted in the history yet: assay accept RUN"


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """What is said of the last accepted model, and what its comparison rests on."""

    told: Accepted
    differences: Mapping[Key, Comparison]
    two: Two | None


def with_accepted(
    report: Report, run: EvaluatedRun, policy: GatePolicy | None, metrics: Sequence[Metric]
) -> Report:
    """Return `report` with the comparison with the last model that the run's history has accepted,
    and with what the gate's `policy` says of that. Raises InputError."""
    history = history_of(run)
    reference = _reference(report, run, history) if history else None
    gate = None
    if policy and _is_asked(policy, reference):
        proof = evidence(run, metrics, _of_candidate(reference), report.cautions)
        gate = _gate(policy, reference, proof)
    if gate and report.gate:
        gate = gating.both(report.gate, gate)
    told = reference.told if reference else None
    problem = f"The last accepted model is not compared with: {told.problem}." if told else ""
    cautions = (Caution(severe=False, text=problem),) if told and told.problem else ()
    return replace(
        report,
        gate=gate or report.gate,
        accepted=told,
        cautions=(*report.cautions, *cautions),
    )


def _reference(report: Report, run: EvaluatedRun, history: History) -> _Reference | None:
    if history.accepted is None and not history.problem:
        return None
    pairs = None if history.problem else pairs_with(run, files.ACCEPTED)
    problem = history.problem
    if not problem and (pairs is None or not pairs.enough):
        problem = f"only {pairs.samples if pairs else 0} of its samples are among those of this run"
    now = record_of(report, history)
    if problem or history.model is None:
        return _Reference(told=_told(history, problem), differences={}, two=None)
    two = Two(before=history.model, now=now, pairs=pairs, specs=specs_of(run))
    readings = [reading for reading in now.readings if _is_compared(reading)]
    differences = compared(two, readings)
    told = Accepted(
        acceptance=history.accepted,
        same=two.same_model("candidate"),
        samples=pairs.samples if pairs else 0,
        problem="",
        movements=movements(two, readings, differences),
        remarks=tuple(_remarks(two)),
    )
    return _Reference(told=told, differences=differences, two=two)


def _told(history: History, problem: str) -> Accepted:
    return Accepted(
        acceptance=history.accepted,
        same=False,
        samples=0,
        problem=problem,
        movements=(),
        remarks=(),
    )


def _is_compared(reading: Reading) -> bool:
    """Whether it is a metric of the candidate that says how good the answers are."""
    return reading.side == "candidate" and reading.kind != "diagnostic"


def _remarks(two: Two) -> Iterator[str]:
    if two.same_model("candidate"):
        yield "The candidate is the accepted model itself, asked in the same way."
    elif two.now.asked.get("candidate") != two.before.asked.get("candidate"):
        yield "The two were asked otherwise: the template or the generation settings differ."
    yield from judge_remarks(two)


def _is_asked(policy: GatePolicy, reference: _Reference | None) -> bool:
    """Whether the gate's rules hold against the last accepted model: not where there is none, or
    where the candidate is that very model, unless they hold against nothing else."""
    if gating.ACCEPTED not in policy.against:
        return False
    alone = gating.BASELINE not in policy.against
    return alone or (reference is not None and not reference.told.same)


def _gate(policy: GatePolicy, reference: _Reference | None, proof: Evidence) -> Gate:
    alone = gating.BASELINE not in policy.against
    return gating.decide(
        policy,
        replace(
            proof,
            void=proof.void if alone else (),  # else the rules against the baseline say it
            against=gating.ACCEPTED,
            unproven=dict(_unproven(policy, reference, proof.judged)),
        ),
    )


def _of_candidate(reference: _Reference | None) -> Sequence[Comparison]:
    differences = reference.differences if reference else {}
    return [comparison for (side, _), comparison in differences.items() if side == "candidate"]


def _unproven(
    policy: GatePolicy, reference: _Reference | None, judged: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield of each rule's metric why the comparison proves nothing, where it does not."""
    for name in policy.rules:
        why = _why_not(name, policy, reference, name in judged)
        if why:
            yield name, why


def _why_not(name: str, policy: GatePolicy, reference: _Reference | None, judged: bool) -> str:
    import numpy as np

    if reference is None:
        return _NONE
    if reference.two is None or reference.two.pairs is None:
        return f"the last accepted model is not compared with: {reference.told.problem}"
    remarks = list(judge_remarks(reference.two))
    if judged and (remarks or not reference.two.same_judge):
        return remarks[0] if remarks else "nobody judged one of the two runs"
    if name == WIN_RATE and not reference.two.same_model("baseline"):
        return "the last accepted model was judged against another baseline"
    then = reference.two.pairs.then["candidate"].values.get(name)
    if ("candidate", name) not in reference.differences or then is None:
        return "the last accepted model has no score of it on the same samples"
    unscored = float(np.isnan(then).mean())
    if unscored > policy.max_unscored:
        return (
            f"{unscored:.1%} of the last accepted model's answers are unscored, more than "
            f"max_unscored {policy.max_unscored:.1%}"
        )
    return ""
