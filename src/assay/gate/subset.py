"""A rule on a part of the samples: "overall@law" is on overall over those with the tag law."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

SIGN = "@"


def parts(rule: str, metrics: Container[str]) -> tuple[str, str]:
    """Return the metric of a rule and the tag of its samples, "" for all; a metric may have the
    sign in its own name. Where none of `metrics` is meant, the first sign parts the two."""
    if rule in metrics:
        return rule, ""
    signs = [at for at, letter in enumerate(rule) if letter == SIGN]
    named = [at for at in signs if rule[:at] in metrics]
    at = named[-1] if named else signs[0] if signs else len(rule)
    return rule[:at], rule[at + 1 :]


def subsets(rules: Iterable[str], metrics: Container[str]) -> Mapping[str, tuple[str, str]]:
    """Return the metric and the tag of each rule that is on a part of the samples."""
    parted = {rule: parts(rule, metrics) for rule in rules}
    return {rule: (metric, tag) for rule, (metric, tag) in parted.items() if tag}
