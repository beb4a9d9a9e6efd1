"""What a gate decides on, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from assay.gate.policy import CRITICAL, Tier
from assay.records import Comparison, Metric

Decision = Literal["GO", "NO_GO", "INCONCLUSIVE"]
IGNORED: Literal["IGNORED"] = "IGNORED"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a gate decides on. `judged` names the judge's metrics, `advisory` says that it failed
    its self-test, `untested` names the answers of the self-test that got no verdict, `unadmitted`
    says of a judge's metric why people's labels do not admit the judge on it, and `void` holds what
    makes any comparison of the two sides meaningless. `against` names, in each rule, what is
    compared with where that is not the baseline; `unproven` says of a metric why its comparison
    with it proves nothing."""

    metrics: Sequence[Metric]
    comparisons: Sequence[Comparison]
    judged: frozenset[str] = field(default_factory=frozenset)
    advisory: bool = False
    untested: Sequence[str] = ()
    unadmitted: Mapping[str, str] = field(default_factory=dict)
    void: Sequence[str] = ()
    against: str = ""
    unproven: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What the gate says of one bound, and why. A `binding` one keeps the gate from GO unless it is
    GO itself. `estimate`, `low` and `high` (95%) are the paired difference, or the candidate's
    mean, and `bound` is in the same units; None where too little was seen. `more` is about how many
    more samples would settle it, None where it is settled, or no number up to 100,000 would."""

    rule: str
    decision: Literal["GO", "NO_GO", "INCONCLUSIVE", "IGNORED"]
    reason: str
    tier: Tier = CRITICAL
    binding: bool = True
    metric: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    more: int | None = None


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate's decision: NO_GO where a binding rule is broken, else INCONCLUSIVE where one is not
    proven or is ignored, else GO. `stopped` is how often a candidate that is just as good as what
    it is compared with would get no GO from such a run: if the critical rules move together, and
    if they are independent; None where nothing says. `foreign` are rules that are not those of the
    run's own configuration."""

    decision: Decision
    rulings: tuple[Ruling, ...]
    stopped: tuple[float, float] | None = None
    foreign: bool = False
