"""What the intervals are tried on: draws whose true mean is known, paired differences most of them.

A loss is below 0. Judge scores are 1 to 10, so that differences lie on -9 to 9; the others are
percent, on -100 to 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[Generator, int], Floats]
Scale = tuple[float, float]
JUDGE: Scale = (-9.0, 9.0)
PERCENT: Scale = (-100.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of differences: what draws `n` of them, their true mean, and how many are tried.
    Every `cluster` of them that follow each other belong together."""

    name: str
    draw: Draw
    truth: float
    scale: Scale | None
    sizes: tuple[int, ...]
    rates: bool = False
    cluster: int = 1


def noise(changed: float) -> Draw:
    """A judge's noise: that share moves by 1 or 2 either way."""
    steps, shares = [-2.0, -1.0, 1.0, 2.0], [0.15, 0.35, 0.35, 0.15]
    return lambda random, n: np.where(
        random.random(n) < changed, random.choice(steps, n, p=shares), 0.0
    )


def falls(share: float, size: float, others: Draw) -> Draw:
    """That share falls by `size`, the others differ as they do."""
    return lambda random, n: np.where(random.random(n) < share, -size, others(random, n))


def rates(before: float, now: float) -> Draw:
    """Pass rates of two sides that know nothing of each other."""
    return lambda random, n: (
        100.0 * ((random.random(n) < now).astype(float) - (random.random(n) < before))
    )


def normal(spread: float) -> Draw:
    """Normal about 0."""
    return lambda random, n: random.normal(0, spread, n)


def mostly_zero(random: Generator, n: int) -> Floats:
    """85% without a change, the others a few points."""
    return np.where(random.random(n) < 0.15, np.round(random.normal(0, 1, n)), 0.0)


def clumped(random: Generator, n: int) -> Floats:
    """Judge scores that clump at 8, in 40% of the pairs given anew."""
    shares = np.array([2, 1, 2, 3, 4, 6, 15, 40, 20, 7]) / 100
    before, now = random.choice(np.arange(1.0, 11.0), (2, n), p=shares)
    return np.where(random.random(n) < 0.4, now - before, 0.0)


def correlated(likeness: float, loss: float = 0.0) -> Draw:
    """A judge's whole scores of both sides, about normal, which correlate by `likeness` before they
    are rounded; the candidate's are lower by `loss`."""

    def draw(random: Generator, n: int) -> Floats:
        shared = random.normal(0, math.sqrt(likeness), n)
        before, now = (
            np.clip(
                np.round(level + 1.5 * (shared + random.normal(0, math.sqrt(1 - likeness), n))),
                1,
                10,
            )
            for level in (7.0, 7.0 - loss)
        )
        return np.asarray(now - before)

    return draw


def rouge(random: Generator, n: int) -> Floats:
    """The difference of two scores from 0 to 100 that have much in common, skewed as ROUGE is."""
    level = 100 * random.beta(1.2, 3, n)
    before, now = (np.clip(level + random.normal(0, 14, n), 0, 100) for _ in range(2))
    return np.asarray(now - before)


def lognormal(spread: float) -> Draw:
    """Losses that are lognormal."""
    return lambda random, n: -random.lognormal(0, spread, n)


def together(turns: int, likeness: float) -> Draw:
    """Normal, a conversation's turns alike: `likeness` is the intraclass correlation."""

    def draw(random: Generator, n: int) -> Floats:
        shared = np.repeat(random.normal(0, math.sqrt(likeness), -(-n // turns)), turns)[:n]
        return 12 * (shared + random.normal(0, math.sqrt(1 - likeness), n))

    return draw


def repeated(times: int, draw: Draw) -> Draw:
    """Each prompt `times` over, and so its difference."""
    return lambda random, n: np.repeat(draw(random, -(-n // times)), times)[:n]


def _zero(random: Generator, n: int) -> Floats:
    return np.zeros(n)


CASES = (
    *(
        Case(
            name=f"{share:.0%} fall 9, {others}",
            draw=falls(share, 9, rest),
            truth=-9 * share,
            scale=JUDGE,
            sizes=(50, 100, 300, 1_001),
        )
        for others, rest in (
            ("others unchanged", _zero),
            ("half change by noise", noise(0.5)),
            ("70% change by noise", noise(0.7)),
        )
        for share in (0.01, 0.02)
    ),
    Case(
        name="1% fall 9, 85% unchanged",
        draw=falls(0.01, 9, mostly_zero),
        truth=-0.09,
        scale=JUDGE,
        sizes=(20, 50, 100, 300),
    ),
    Case(
        name="1% fall 9, normal of 0.5",
        draw=falls(0.01, 9, normal(0.5)),
        truth=-0.09,
        scale=JUDGE,
        sizes=(50, 100, 300),
    ),
    *(
        Case(
            name=f"rates, {before:.0%} to {now:.0%} fail",
            draw=rates(1 - before, 1 - now),
            truth=100 * (before - now),
            scale=PERCENT,
            sizes=(20, 50, 100, 300, 1_500),
            rates=True,
        )
        for before, now in ((0.01, 0.03), (0.02, 0.04), (0.3, 0.35))
    ),
    Case(name="85% zero", draw=mostly_zero, truth=0.0, scale=JUDGE, sizes=(20, 50, 100, 1_500)),
    Case(name="judge, clumped", draw=clumped, truth=0.0, scale=JUDGE, sizes=(20, 50, 300, 1_500)),
    *(
        Case(
            name=f"judge, correlation {likeness:g}",
            draw=correlated(likeness),
            truth=0.0,
            scale=JUDGE,
            sizes=(20, 50, 300),
        )
        for likeness in (0.5, 0.77, 0.9)
    ),
    *(
        Case(
            name=f"{share:.0%} fall 9, normal of 1",
            draw=falls(share, 9, normal(1)),
            truth=-9 * share,
            scale=JUDGE,
            sizes=(50, 100, 300),
        )
        for share in (0.01, 0.02)
    ),
    Case(name="ROUGE-like", draw=rouge, truth=0.0, scale=PERCENT, sizes=(20, 50, 300, 1_500)),
    Case(name="normal, judge", draw=normal(2), truth=0.0, scale=JUDGE, sizes=(20, 50, 300, 1_500)),
    Case(
        name="normal, percent",
        draw=normal(12),
        truth=0.0,
        scale=PERCENT,
        sizes=(20, 50, 300, 1_500),
    ),
    Case(name="normal, no scale", draw=normal(1), truth=0.0, scale=None, sizes=(20, 50, 1_500)),
    *(
        Case(
            name=f"lognormal losses, sigma {spread:g}, no scale",
            draw=lognormal(spread),
            truth=-math.exp(spread**2 / 2),
            scale=None,
            sizes=(20, 50, 100, 300, 1_001),
        )
        for spread in (0.5, 1.0)
    ),
    *(
        Case(
            name=f"{turns} turns, ICC 0.3",
            draw=together(turns, 0.3),
            truth=0.0,
            scale=PERCENT,
            sizes=(100, 300, 1_500),
            cluster=turns,
        )
        for turns in (4, 8)
    ),
    *(
        Case(
            name=f"prompts {word}",
            draw=repeated(times, normal(12)),
            truth=0.0,
            scale=PERCENT,
            sizes=(100, 300),
            cluster=times,
        )
        for times, word in ((2, "doubled"), (3, "tripled"))
    ),
    Case(
        name="2% fall 9, prompts doubled",
        draw=repeated(2, falls(0.02, 9, noise(0.5))),
        truth=-0.18,
        scale=JUDGE,
        sizes=(100, 300),
        cluster=2,
    ),
)

SHIFTS: tuple[tuple[str, Callable[[float], Draw], Scale], ...] = (
    *(
        (f"judge, correlation {likeness:g}", partial(correlated, likeness), JUDGE)
        for likeness in (0.5, 0.77, 0.9)
    ),
    ("judge, clumped", lambda loss: lambda r, n: clumped(r, n) - loss, JUDGE),
    ("ROUGE-like", lambda loss: lambda r, n: rouge(r, n) - loss, PERCENT),
)
"""What a paired t test is compared on: name, draw by its loss, scale."""

Losing = Callable[[float], Draw]
"""The draw whose mean loss is what is given."""

POWERS: tuple[tuple[str, Losing, float, Scale | None, bool], ...] = (
    ("rare losses of 9", lambda loss: falls(loss / 9, 9, _zero), 0.09, JUDGE, False),
    ("the same, 85% zero", lambda loss: falls(loss / 9, 9, mostly_zero), 0.09, JUDGE, False),
    ("the same, 40% noise", lambda loss: falls(loss / 9, 9, noise(0.4)), 0.09, JUDGE, False),
    ("normal, judge", lambda loss: lambda r, n: r.normal(-loss, 2, n), 0.0, JUDGE, False),
    ("normal, percent", lambda loss: lambda r, n: r.normal(-loss, 12, n), 0.0, PERCENT, False),
    ("rates from 10%", lambda loss: rates(0.9, 0.9 - loss / 100), 0.0, PERCENT, True),
)
"""What is tried for power: name, draw by its loss, the loss that samples are drawn at, scale, and
whether they are rates."""
