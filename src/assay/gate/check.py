"""Before anything is spent: what a run could never decide is refused, all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping

from assay.errors import SettingsError, raise_all
from assay.gate.policy import Bound, GatePolicy
from assay.gate.subset import parts, subsets
from assay.records import MetricSpec
from assay.tags import Tags, meant

_SAY_WHICH = "Write a value behind the @, as in overall@law"


def check_rules(
    policy: GatePolicy, specs: Iterable[MetricSpec], elsewhere: Mapping[str, str]
) -> None:
    """Refuse what the metrics of a run cannot decide: `specs` are those that it computes, and
    `elsewhere` says of others what would have it compute them. Raises InputError with a line for
    each problem."""
    known = {spec.name: spec for spec in specs}
    problems: list[SettingsError] = []
    for name, bound in policy.rules.items():
        metric, tag = parts(name, known)
        where, spec = f"gate.rules.{name}", known.get(metric)
        problems += _of_metric(where, metric, known, elsewhere)
        if spec and name != metric and not tag:
            problems.append(SettingsError(f"{where} names no tag", _SAY_WHICH))
        problems += _of_bound(where, bound, spec) if spec else ()
        problems += _of_admission(where, spec) if spec and policy.require_admitted else ()
    if policy.primary:
        problems += _of_metric("gate.primary", policy.primary, known, elsewhere)
        problems += _of_primary(known.get(policy.primary))
    raise_all(problems)


def check_baseline(policy: GatePolicy) -> None:
    """Refuse what a run without a baseline cannot decide. Raises InputError with a line for each
    problem."""
    raise_all(
        SettingsError(
            f"gate.rules.{name}.max_drop compares with a baseline, and this run has none",
            "Name a baseline, or bound the candidate's own mean by min or max",
        )
        for name in policy.compared
    )


def check_pairs(
    policy: GatePolicy, samples: float, judged: float, dimensions: Collection[str]
) -> None:
    """Refuse a policy that asks for more pairs than there can be: at most `samples` are evaluated,
    and `judged` get a score for each of `dimensions`. Raises InputError."""
    names = _judged(policy, dimensions)
    if samples < policy.min_pairs:
        raise SettingsError(
            f"gate.min_pairs = {policy.min_pairs:,}, and {samples:,} samples are evaluated: no "
            "rule can be decided",
            "Evaluate more samples, or lower gate.min_pairs (10 at least)",
        )
    if names and judged < policy.min_pairs:
        raise SettingsError(
            f"gate.min_pairs = {policy.min_pairs:,}, and judge.max_samples = {judged:,} has fewer "
            f"judged: {names} cannot be decided",
            "Raise judge.max_samples, or lower gate.min_pairs (10 at least)",
        )


def check_coverage(
    policy: GatePolicy, samples: int, judged: int, dimensions: Collection[str]
) -> None:
    """Refuse a policy that lets fewer samples be unscored than the judge leaves out. Raises
    InputError."""
    names, unscored = _judged(policy, dimensions), (samples - judged) / samples
    if names and unscored > policy.max_unscored:
        raise SettingsError(
            f"gate.max_unscored = {policy.max_unscored:.1%}, and judge.max_samples = {judged:,} of "
            f"{samples:,} samples leaves {unscored:.1%} unscored: {names} cannot be decided",
            "Raise judge.max_samples (0: all) or gate.max_unscored, or evaluate fewer by "
            "dataset.max_samples",
        )


def check_subsets(policy: GatePolicy, metrics: Collection[str], tags: Tags) -> None:
    """Refuse rules on a part of the samples that there is not, or that is smaller than min_pairs;
    `tags` are those of the samples. Raises InputError with a line for each problem."""
    problems = []
    for rule, (_, subset) in subsets(policy.rules, metrics).items():
        try:
            name, number = meant(subset, tags)
        except SettingsError as error:
            problems.append(SettingsError(f"gate.rules.{rule}: {error.what}", error.remedy))
            continue
        samples = len(tags[name].positions(number))
        if samples < policy.min_pairs:
            problems.append(
                SettingsError(
                    f"gate.rules.{rule}: {samples:,} samples have that tag, fewer than "
                    f"gate.min_pairs = {policy.min_pairs:,}, so that it cannot be decided",
                    "Evaluate more of them, or lower gate.min_pairs (10 at least)",
                )
            )
    raise_all(problems)


def _judged(policy: GatePolicy, dimensions: Collection[str]) -> str:
    """Return the rules on the judge's metrics, as words."""
    return ", ".join(
        f"gate.rules.{name}" for name in policy.rules if parts(name, dimensions)[0] in dimensions
    )


def _of_metric(
    where: str, name: str, known: Mapping[str, MetricSpec], elsewhere: Mapping[str, str]
) -> Iterator[SettingsError]:
    """Yield why a metric decides nothing."""
    spec = known.get(name)
    if spec is None and name in elsewhere:
        yield SettingsError(f"{where}: this run does not compute {name}", elsewhere[name])
    elif spec is None:
        usable = [spec.name for spec in known.values() if spec.kind != "total"]
        close = difflib.get_close_matches(name, [*usable, *elsewhere], n=1)
        remedy = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(usable)}"
        yield SettingsError(
            f"{where}: {name} is no metric of this run that has an interval", remedy
        )
    elif spec.kind == "total":
        yield SettingsError(
            f"{where}: {name} is a total without an interval, which proves nothing",
            "Use a metric that has a score for each sample",
        )
    elif spec.direction == "unknown":
        yield SettingsError(
            f"{where}: the metric does not say which way is better",
            "Let its entry point lead to an assay.metrics.AutoMetric with a direction",
        )


def _of_primary(spec: MetricSpec | None) -> Iterator[SettingsError]:
    if spec and spec.direction == "neither":
        yield SettingsError(
            f"gate.primary: of {spec.name} neither way is better, so that it has no verdict",
            "Name a metric that has a better way",
        )


def _of_admission(where: str, spec: MetricSpec) -> Iterator[SettingsError]:
    """Yield that no labels could admit the judge on a metric: people label answers, not pairs."""
    if spec.group == "pairwise":
        yield SettingsError(
            f"{where}: gate.require_admitted asks for a judge that people's labels admit, and none "
            f"are of {spec.name}, which would never be decided",
            "Take the rule out, or set gate.require_admitted: false",
        )


def _of_bound(where: str, bound: Bound, spec: MetricSpec) -> Iterator[SettingsError]:
    """Yield what a metric cannot be bound by."""
    if bound.percent is not None and spec.group == "pairwise":
        yield SettingsError(
            f"{where}.max_drop = {bound.max_drop!r}: {spec.name} is of both sides at once, so that "
            "no baseline has one",
            "Write a number: 0 is no worse than even",
        )
    for name, wrong, other in (("min", "lower", "max"), ("max", "higher", "min")):
        if name in bound.parts and spec.direction == wrong:
            yield SettingsError(
                f"{where}.{name}: of {spec.name} {wrong} is better", f"Set {other} instead"
            )
    for name, value in bound.parts.items():
        idle = _idle(name, value, bound, spec)
        if idle:
            shown = value if isinstance(value, str) else f"{value:g}"
            remedy = "Set one that a candidate can break, and one that it can keep to"
            yield SettingsError(f"{where}.{name} = {shown} {idle}", remedy)


def _idle(name: str, value: float | str, bound: Bound, spec: MetricSpec) -> str:
    """Return why a bound always or never holds, "" where it may do either."""
    if spec.scale is None:
        return ""
    low, high = spec.scale
    always, never = (
        f"{word} holds: {spec.name} goes from {low:g} to {high:g}" for word in ("always", "never")
    )
    if bound.percent is not None and name == "max_drop":
        return always if bound.percent >= 1 and low >= 0 and spec.direction == "higher" else ""
    limit = float(value)
    if name == "max_drop":
        return always if limit >= high - low else never if limit <= low - high else ""
    if name == "min":
        return always if limit <= low else never if limit >= high else ""
    return always if limit >= high else never if limit <= low else ""
