"""Tests of several hypotheses at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

_EQUAL: Mapping[str, float] = MappingProxyType({})


def holm(values: Mapping[str, float], weights: Mapping[str, float] = _EQUAL) -> dict[str, float]:
    """Return each p value corrected for all of them being tested at once: some true hypothesis is
    called false in at most alpha of all families (Holm 1979, "A Simple Sequentially Rejective
    Multiple Test Procedure", Scandinavian Journal of Statistics 6). `weights`, by name, are above
    0, and 1 where there is none: what weighs more is held to more of alpha."""
    heavy = {name: weights.get(name, 1.0) for name in values}
    corrected: dict[str, float] = {}
    greatest, left = 0.0, math.fsum(heavy.values())
    for name in sorted(values, key=lambda name: values[name] / heavy[name]):
        greatest = max(greatest, min(1.0, left / heavy[name] * values[name]))
        corrected[name] = greatest
        left -= heavy[name]
    return corrected
