"""What the gate says of a run: against the baseline, and against the last accepted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assay.errors import check_all
from assay.gate import (
    ACCEPTED,
    BASELINE,
    Evidence,
    Gate,
    GatePolicy,
    both,
    check_baseline,
    check_rules,
    decide,
)
from assay.judge import WIN_RATE
from assay.records import Comparison, Metric
from assay.report.accepted import Reference, why_not
from assay.report.contents import Caution
from assay.report.glossary import specs_of
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory, untested
from assay.stats import SideScores, spec_of, summarise

_NONE = "no model has been accepted in the history yet: assay accept RUN"


def gate(
    policy: GatePolicy,
    run: EvaluatedRun,
    metrics: Sequence[Metric],
    comparisons: Sequence[Comparison],
    warnings: Sequence[Caution],
    reference: Reference | None,
    unadmitted: Mapping[str, str] | None = None,
) -> Gate:
    """Return what `policy` says of a run and of its comparison with the last accepted model, if it
    has one: where its rules hold against both, both have to pass. `unadmitted` says of the judge's
    metrics why people's labels do not admit it."""
    proof = Evidence(
        metrics=metrics,
        comparisons=comparisons,
        judged=frozenset(name for side in run.sides for name in side.verdicts.values) | {WIN_RATE},
        advisory=advisory(run),
        untested=untested(run),
        unadmitted=unadmitted or {},
        void=[caution.text for caution in warnings if caution.severe],
    )
    if BASELINE not in policy.against:
        return decide(policy, _against(policy, proof, reference))
    first = decide(policy, proof)
    # the accepted model itself cannot be worse than it is
    if ACCEPTED not in policy.against or reference is None or reference.told.same:
        return first
    return both(first, decide(policy, replace(_against(policy, proof, reference), void=())))


def check_decidable(policy: GatePolicy, run: EvaluatedRun, metrics: Sequence[Metric]) -> None:
    """Refuse what the `metrics` of a run that is done cannot decide, as preflight does before one.
    Raises InputError with a line for each problem."""
    specs = specs_of(run)
    names = [metric.name for metric in metrics] + [*(run.pairs.values if run.pairs else ())]
    computed = [spec_of(name, specs) for name in dict.fromkeys(names)]
    check_all(
        lambda: check_rules(policy, computed, {}),
        lambda: None if run.baseline else check_baseline(policy),
    )


def _against(policy: GatePolicy, proof: Evidence, reference: Reference | None) -> Evidence:
    """Return what the gate decides on against the last accepted model."""
    if reference is None:
        unproven = dict.fromkeys(policy.rules, _NONE)
        return replace(proof, comparisons=(), against=ACCEPTED, unproven=unproven)
    candidate = [metric for metric in proof.metrics if metric.side == "candidate"]
    then = list(_then(policy, reference))
    return replace(
        proof,
        metrics=[*candidate, *then],
        comparisons=list(reference.differences.values()),
        against=ACCEPTED,
        unproven=dict(_unproven(policy, reference, then)),
    )


def _then(policy: GatePolicy, reference: Reference) -> Sequence[Metric]:
    """Return the metrics of the accepted model that the rules are on, over the samples of both
    runs, in the baseline's place."""
    if reference.two is None or reference.two.pairs is None:
        return []
    scores = reference.two.pairs.then["candidate"]
    names = [name for name in policy.rules if name in reference.differences]
    values = {name: scores.values[name] for name in names}
    then = SideScores(samples=scores.samples, values=values, causes={}, clusters=scores.clusters)
    return summarise("baseline", then, (), reference.two.specs)


def _unproven(
    policy: GatePolicy, reference: Reference, then: Sequence[Metric]
) -> Iterator[tuple[str, str]]:
    """Yield of each rule's metric why the comparison proves nothing, where it does not."""
    unscored = {
        metric.name: sum(metric.unscored.values()) / (metric.n + sum(metric.unscored.values()))
        for metric in then
    }
    for name in policy.rules:
        why = why_not(name, reference)
        if why:
            yield name, why
        elif unscored.get(name, 0.0) > policy.max_unscored:
            yield (
                name,
                f"{unscored[name]:.1%} of the last accepted model's answers are unscored, more "
                f"than max_unscored {policy.max_unscored:.1%}",
            )
