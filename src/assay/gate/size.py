"""How many samples a rule needs, and how often it stops a candidate that is as good as the
baseline: both by the normal approximation, from the interval that was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from assay.gate.claim import Claim

MOST_SAMPLES = 100_000
POWER = 0.8
_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)
_AT_THE_BOUND = 1e-9  # of the margin
_STILL = 0.4


def more_samples(claim: Claim) -> float:
    """Return about how many more samples would settle a rule that is not settled, if the truth is
    as estimated: with a power of 80%. Infinite where the estimate lies at the bound.

    The margin of an interval is 1.96 standard errors, and goes with 1 / sqrt(n); to lie on one
    side of the bound in four runs of five, the interval needs the estimate 1.96 + 0.84 standard
    errors away from it (Julious 2004, "Sample sizes for clinical trials with Normal data",
    Statistics in Medicine 23, section 5). Where nothing changed the exact margin goes with 1 / n,
    and where few pairs did with a power between the two, which is chosen by simulation.
    """
    distance = claim.limit - claim.value
    margin = _margin(claim) if distance > 0 else _margin_below(claim)
    if abs(distance) <= _AT_THE_BOUND * margin:
        return math.inf
    ratio = margin / abs(distance)
    if claim.still == 1:
        return max(1.0, claim.n * (ratio - 1))
    # a change either way can break the rule: each may in half of the runs that are left
    missed = (1 - POWER) / 2 if claim.both_ways and distance > 0 else 1 - POWER
    power = 1 + _NORMAL.inv_cdf(1 - missed) / _Z
    narrowing = 0.5 + _STILL * claim.still**2
    return max(1.0, claim.n * (math.pow(power * ratio, 1 / narrowing) - 1))


def stopped(claims: Sequence[Claim]) -> tuple[float, float] | None:
    """Return how often at least one rule would not be GO for a candidate that is just as good as
    the baseline: if the rules move together, and if they are independent. None where no rule says;
    one that asks for more than the baseline has stops it rightly, and is left out.

    Whatever the dependence, it is no less than the first, and no more than the sum over the rules
    (Bonferroni); rules that go up and down together lie between the two.
    """
    shares = [
        _stopped(claim, claim.equal)
        for claim in claims
        if claim.equal is not None and claim.equal <= claim.limit
    ]
    return together([(share, share) for share in shares])


def together(chances: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the chances of several gates, or rules, as that of all of them; None for none."""
    if not chances:
        return None
    least, most = zip(*chances, strict=True)
    return max(least), 1 - math.prod(1 - share for share in most)


def in_words(more: float) -> str:
    """Return what `more_samples` says, as a clause."""
    if math.isinf(more):
        return "the estimate lies at the bound, so no number of samples would settle it"
    if more > MOST_SAMPLES:
        return f"more than {MOST_SAMPLES:,} more samples would be needed to settle it"
    return f"about {rounded(more):,} more samples would settle it, if the truth is as estimated"


def rounded(more: float) -> int:
    """Return a number of samples to two digits, upwards."""
    whole = math.ceil(more)
    step = int("1".ljust(len(str(whole)) - 1, "0"))
    return math.ceil(whole / step) * step


def _stopped(claim: Claim, value: float) -> float:
    error = _margin(claim) / _Z
    if error == 0:
        return 0.0 if value <= claim.least else 1.0
    missed = _NORMAL.cdf(_Z - (claim.limit - value) / error)
    return min(1.0, (1 + claim.both_ways) * missed)


def _margin(claim: Claim) -> float:
    """Return how far above the estimate the interval reaches, and below the limit its own."""
    return claim.high - claim.value + claim.limit - claim.least


def _margin_below(claim: Claim) -> float:
    """Return the same below the estimate; how far a change either way reaches ends at 0, and says
    no more than its other side."""
    reach = claim.value - claim.low
    reach = max(reach, claim.high - claim.value) if claim.both_ways else reach
    return reach + claim.most - claim.limit
