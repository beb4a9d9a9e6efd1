"""What the gate says of a run: against the baseline, and against the last accepted model.

To the gate a rule on a part of the samples is one on a metric of that name: what it is decided by
is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from assay.errors import SettingsError, check_all
from assay.gate import (
    ACCEPTED,
    BASELINE,
    Evidence,
    Gate,
    GatePolicy,
    both,
    check_baseline,
    check_rules,
    check_subsets,
    decide,
    subsets,
)
from assay.judge import WIN_RATE
from assay.records import Comparison, Metric
from assay.report import kept_labels
from assay.report.accepted import Reference, why_not
from assay.report.aggregates import comparisons as compared
from assay.report.aggregates import metrics as computed
from assay.report.contents import Caution
from assay.report.glossary import specs_of
from assay.report.kept import Pairs, differences
from assay.report.run import EvaluatedRun
from assay.report.self_test import advisory, untested
from assay.report.subsets import restricted
from assay.stats import spec_of, summarise
from assay.tags import meant

_NONE = "no model has been accepted in the history yet: assay accept RUN"


@dataclass(frozen=True, kw_only=True)
class _SubsetRule:
    """What a `rule` on a part of the samples, at `positions`, is decided by: its `metric`, called
    as the rule is."""

    rule: str
    metric: str
    positions: frozenset[int]
    metrics: Sequence[Metric]
    comparisons: Sequence[Comparison]


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
    parts = _parts(policy, run, metrics)
    judged = {name for side in run.sides for name in side.verdicts.values} | {WIN_RATE}
    refused = unadmitted or {}
    proof = Evidence(
        metrics=[*metrics, *(metric for part in parts for metric in part.metrics)],
        comparisons=[*comparisons, *(pairs for part in parts for pairs in part.comparisons)],
        judged=frozenset(judged | {part.rule for part in parts if part.metric in judged}),
        advisory=advisory(run),
        untested=untested(run),
        unadmitted={
            **refused,
            **{part.rule: refused[part.metric] for part in parts if part.metric in refused},
        },
        void=[caution.text for caution in warnings if caution.severe],
    )
    if BASELINE not in policy.against:
        return decide(policy, _against(policy, parts, proof, reference))
    first = decide(policy, proof)
    # the accepted model itself cannot be worse than it is
    if ACCEPTED not in policy.against or reference is None or reference.told.same:
        return first
    against = _against(policy, parts, proof, reference)
    return both(first, decide(policy, replace(against, void=())))


def check_decidable(policy: GatePolicy, run: EvaluatedRun, metrics: Sequence[Metric]) -> None:
    """Refuse what the `metrics` of a run that is done cannot decide, as preflight does before one.
    Raises InputError with a line for each problem."""
    specs = specs_of(run)
    names = [metric.name for metric in metrics] + [*(run.pairs.values if run.pairs else ())]
    known = {name: spec_of(name, specs) for name in names}
    check_all(
        lambda: check_rules(policy, known.values(), {}),
        lambda: check_subsets(policy, known, run.tags),
        lambda: None if run.baseline else check_baseline(policy),
    )


def _parts(policy: GatePolicy, run: EvaluatedRun, metrics: Sequence[Metric]) -> list[_SubsetRule]:
    """Return what the rules on a part of the samples are decided by."""
    names = {metric.name for metric in metrics}
    on = subsets(policy.rules, names).items()
    return [_part(run, rule, metric, subset) for rule, (metric, subset) in on]


def _part(run: EvaluatedRun, rule: str, metric: str, subset: str) -> _SubsetRule:
    """Return what a rule is decided by, nothing where no sample has the tag: preflight has refused
    that, or the samples are others now."""
    try:
        tag, number = meant(subset, run.tags)
    except SettingsError:
        return _SubsetRule(
            rule=rule, metric=metric, positions=frozenset(), metrics=(), comparisons=()
        )
    at = run.tags[tag].positions(number)
    part = restricted(run, [at])[0]
    return _SubsetRule(
        rule=rule,
        metric=metric,
        positions=frozenset(at.tolist()),
        metrics=[replace(each, name=rule) for each in computed(part) if each.name == metric],
        comparisons=[
            replace(each, name=rule) for each in compared(part, detect=False) if each.name == metric
        ],
    )


def _against(
    policy: GatePolicy, parts: Sequence[_SubsetRule], proof: Evidence, reference: Reference | None
) -> Evidence:
    """Return what the gate decides on against the last accepted model."""
    if reference is None:
        unproven = dict.fromkeys(policy.rules, _NONE)
        return replace(proof, comparisons=(), against=ACCEPTED, unproven=unproven)
    candidate = [metric for metric in proof.metrics if metric.side == "candidate"]
    on = {part.rule: part for part in parts}
    then = [metric for rule in policy.rules for metric in _then(rule, on.get(rule), reference)]
    return replace(
        proof,
        metrics=[*candidate, *then],
        comparisons=[
            *reference.differences.values(),
            *(change for part in parts for change in _changes(part, reference)),
        ],
        against=ACCEPTED,
        unproven=dict(_unproven(policy, on, reference, then)),
    )


def _pairs(part: _SubsetRule | None, reference: Reference) -> Pairs | None:
    """Return the scores of both runs over the samples of a rule."""
    pairs = reference.two.pairs if reference.two else None
    return pairs.among(part.positions) if pairs and part else pairs


def _changes(part: _SubsetRule, reference: Reference) -> list[Comparison]:
    """Return how far the candidate is from the accepted model over a part of the samples."""
    pairs = _pairs(part, reference)
    if pairs is None or reference.two is None or part.metric not in reference.differences:
        return []
    changes = differences(pairs, "candidate", [part.metric], reference.two.specs)
    return [replace(change, name=part.rule) for change in changes]


def _then(rule: str, part: _SubsetRule | None, reference: Reference) -> Sequence[Metric]:
    """Return the metric of the accepted model that a rule is on, over the samples of both runs, in
    the baseline's place."""
    pairs, name = _pairs(part, reference), part.metric if part else rule
    if reference.two is None or pairs is None or name not in reference.differences:
        return []
    scores = pairs.then["candidate"]
    then = replace(scores, values={name: scores.values[name]}, causes={})
    specs = kept_labels.on_scales(reference.two.specs, pairs.labels.get("candidate"))
    metrics = summarise("baseline", then, (), specs)
    return [replace(metric, name=rule) for metric in metrics]


def _unproven(
    policy: GatePolicy, on: Mapping[str, _SubsetRule], reference: Reference, then: Sequence[Metric]
) -> Iterator[tuple[str, str]]:
    """Yield of each rule why the comparison proves nothing, where it does not."""
    unscored = {
        metric.name: sum(metric.unscored.values()) / (metric.n + sum(metric.unscored.values()))
        for metric in then
        if metric.n or metric.unscored
    }
    for rule in policy.rules:
        why = why_not(on[rule].metric if rule in on else rule, reference)
        if not why and rule in on and rule not in unscored:
            why = "the last accepted model has no score of it on the same samples"
        if why:
            yield rule, why
        elif unscored.get(rule, 0.0) > policy.max_unscored:
            yield (
                rule,
                f"{unscored[rule]:.1%} of the last accepted model's answers are unscored, more "
                f"than max_unscored {policy.max_unscored:.1%}",
            )
