"""Drift: the same frozen answers, judged then and now, tell a change of the judge from a change of
the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from assay.errors import InputError
from assay.judge.log import verdicts

LEAST = 5
Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Now minus then over the `n` anchors scored both times: the mean, its 95% interval by the
    normal approximation to the paired difference, and whether that leaves out 0."""

    n: int
    mean: float
    low: float
    high: float
    drifted: bool


def drift(then: Path, now: Path) -> Mapping[str, Shift]:
    """Return for each dimension how far the judge's scores moved between two logs of verdicts on
    the same answers. Raises InputError where fewer than five are scored in both."""
    before, after = verdicts(then), verdicts(now)
    pairs = [
        (row.values, after[row.id].values)
        for row in before.values()
        if row.id in after and not row.unscored and not after[row.id].unscored
    ]
    if len(pairs) < LEAST:
        raise InputError(
            f"{len(pairs)} anchors have a score in both {then} and {now}",
            f"Judge the same answers both times, at least {LEAST} and better 30",
        )
    names = [name for name in pairs[0][0] if name in pairs[0][1]]
    return {name: _shift([b[name] - a[name] for a, b in pairs]) for name in names}


def _shift(differences: list[float]) -> Shift:
    mean = fmean(differences)
    half = Z95 * stdev(differences) / math.sqrt(len(differences))
    return Shift(
        n=len(differences),
        mean=mean,
        low=mean - half,
        high=mean + half,
        drifted=mean != 0 and abs(mean) >= half,
    )
