"""What each metric is, by name, and how far its scores can lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from assay.intervals import Interval
from assay.records import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Specs = Mapping[str, MetricSpec]
"""What each metric is, by name; one without a spec is a mean without a direction or a scale."""

NO_SPECS: Specs = MappingProxyType({})
ROUNDING = 1e-12  # of a score: a sum in another order differs by less


def spec_of(name: str, specs: Specs) -> MetricSpec:
    """Return what a metric is; nothing is known of one that `specs` lacks."""
    return specs.get(name) or MetricSpec(name=name, direction="unknown")


def within(scale: tuple[float, float] | None, around: Interval) -> Interval:
    """Return an interval without what lies off the scale, where no mean can be."""
    if scale is None:
        return around
    return replace(around, low=max(scale[0], around.low), high=min(scale[1], around.high))


def reach_of(scale: tuple[float, float] | None, before: Floats, now: Floats) -> float:
    """Return how far apart two scores can lie: by the scale, else by those that were seen."""
    if scale:
        return scale[1] - scale[0]
    low, high = float(min(before.min(), now.min())), float(max(before.max(), now.max()))
    return high - low if high - low > ROUNDING * max(abs(low), abs(high)) else 0.0
