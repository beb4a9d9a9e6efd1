"""What a candidate must prove: bounds on metrics, each of a tier."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

from assay import settings
from assay.errors import SettingsError, raise_all

Tier = Literal["critical", "supporting", "advisory"]
Opponent = Literal["baseline", "accepted"]
BASELINE: Opponent = "baseline"
ACCEPTED: Opponent = "accepted"
TIERS: tuple[Tier, ...] = ("critical", "supporting", "advisory")
CRITICAL: Tier = "critical"
ADVISORY: Tier = "advisory"
_PERCENT = re.compile(r"(-?\d+(?:\.\d+)?)\s*%", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What one metric must keep to: `max_drop` is how much the candidate may lose against the
    baseline, in the metric's units or in percent of the baseline ("5%"), below 0 how much it must
    gain; `min` and `max` bound the candidate's own mean. What follows from it is the `tier`'s."""

    max_drop: float | str | None = None
    min: float | None = None
    max: float | None = None
    tier: Tier = CRITICAL

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt bound is refused

    @property
    def parts(self) -> Mapping[str, float | str]:
        """What is set of max_drop, min and max."""
        bounds = {"max_drop": self.max_drop, "min": self.min, "max": self.max}
        return {name: value for name, value in bounds.items() if value is not None}

    @property
    def percent(self) -> float | None:
        """The part of the baseline that may be lost (0.05 for "5%"), None where `max_drop` is in
        the metric's units."""
        match = _PERCENT.fullmatch(self.max_drop) if isinstance(self.max_drop, str) else None
        return float(match[1]) / 100 if match else None


@dataclass(frozen=True, kw_only=True)
class GatePolicy:
    """What a candidate must prove: `rules` is metric -> Bound. A rule needs `min_pairs` samples
    that both sides have a score for, and at most the share `max_unscored` of either side without
    one. The judge's metrics are ignored where it failed its self-test, and prove nothing where the
    self-test was not answered, unless `trust_advisory`; with `require_admitted` they prove nothing
    either where people's labels do not admit the judge, or nobody labelled. `primary` is the metric
    that the report's verdict line speaks of, "" for the first that it has. What a candidate may
    lose holds `against` the baseline and, where a history has one, the last accepted model, or one
    of the two."""

    rules: Annotated[Mapping[str, Bound], MinLen(1)]
    primary: str = ""
    min_pairs: Annotated[int, Ge(10)] = 50
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.05
    trust_advisory: bool = False
    require_admitted: bool = False
    against: Annotated[tuple[Opponent, ...], MinLen(1)] = (BASELINE, ACCEPTED)

    @property
    def compared(self) -> tuple[str, ...]:
        """The metrics whose rule needs a baseline."""
        if BASELINE not in self.against:
            return ()
        return tuple(name for name, bound in self.rules.items() if bound.max_drop is not None)


def read_policy(values: Mapping[str, Any], where: str) -> GatePolicy:
    """Return the policy in a mapping, checked; `where` is what it comes from. Raises InputError."""
    policy = settings.build(GatePolicy, values, where)
    check_policy(policy, where)
    return policy


def check_policy(policy: GatePolicy, where: str = "gate") -> None:
    """Raise InputError, with a line for each problem, for what no run could decide by."""
    raise_all(_problems(policy, where))


def _problems(policy: GatePolicy, where: str) -> Iterator[SettingsError]:
    for name, bound in policy.rules.items():
        yield from _of_bound(bound, f"{where}.rules.{name}")
    if all(bound.tier != CRITICAL for bound in policy.rules.values()):
        yield SettingsError(
            f"{where}.rules has no rule of the tier critical, so that nothing had to be proven",
            "Make one critical, or leave the gate out",
        )


def _of_bound(bound: Bound, where: str) -> Iterator[SettingsError]:
    if not bound.parts:
        yield SettingsError(f"{where} bounds nothing", "Set max_drop, min or max")
    if isinstance(bound.max_drop, str) and bound.percent is None:
        yield SettingsError(
            f"{where}.max_drop = {bound.max_drop!r} is neither a number nor a percentage",
            'Write a number in the metric\'s units, or a percentage of the baseline such as "5%"',
        )
    for name, value in {**bound.parts, "max_drop": bound.percent or bound.max_drop}.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield SettingsError(f"{where}.{name} = {value} bounds nothing", "Write a number")
    if bound.min is not None and bound.max is not None and bound.min > bound.max:
        yield SettingsError(
            f"{where}.min = {bound.min:g} is above its max = {bound.max:g}", "Correct one of them"
        )
