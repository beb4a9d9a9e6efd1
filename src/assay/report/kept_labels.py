"""The labels of a run as its history keeps them: macro-f1 and its like are of all samples at once,
so that two runs are compared in pairs by what each sample adds to them, over those that both have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from assay.records import Comparison, MetricSpec
from assay.report import labels as macro
from assay.report.files import Labels
from assay.report.run import SideRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_NONE = -1


@dataclass(frozen=True, kw_only=True)
class KeptLabels:
    """The labels of a side by their `names`: the number of each sample's in its target and in its
    answer, that of the last and one more for an answer without one, -1 where the two are not
    compared; `metrics` are those that were asked for."""

    names: tuple[str, ...]
    wanted: tuple[int, ...]
    given: tuple[int, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LabelPairs:
    """The labels of a side in two runs, `then` and `now`, over the same samples and by the same
    names, and the `metrics` that both were asked for."""

    then: Labels
    now: Labels
    metrics: tuple[str, ...]

    def among(self, places: NDArray[np.intp]) -> LabelPairs:
        """Return those of the samples at some places."""
        return replace(self, then=_at(self.then, places), now=_at(self.now, places))

    @cached_property
    def linear(self) -> Mapping[str, tuple[macro.Linear, macro.Linear]]:
        """What every sample adds to each metric, then and now."""
        both = self.then.compared & self.now.compared
        return {
            name: (
                macro.linearised(self.then, name, both),
                macro.linearised(self.now, name, both),
            )
            for name in self.metrics
        }

    def settled(self, comparison: Comparison) -> Comparison:
        """Return a comparison of what samples add as one of the metric."""
        return macro.settled(comparison, self.then, self.now)


def kept(side: SideRun) -> KeptLabels | None:
    """Return the labels of a side to be kept, None where no metric is of labels."""
    if side.labels is None:
        return None
    labels = side.labels
    wanted, given = (_known(numbers, labels) for numbers in (labels.wanted, labels.given))
    metrics = tuple(macro.asked_of(side))
    return KeptLabels(names=labels.names, wanted=wanted, given=given, metrics=metrics)


def paired(
    then: KeptLabels, now: KeptLabels, earlier: Sequence[int], later: Sequence[int]
) -> LabelPairs | None:
    """Return the labels of two runs over the samples at their places in both; None where a sample
    has another label to be given than it had: the labels are other ones."""
    names = tuple(sorted({*then.names, *now.names}))
    before, after = _labels(then, names, earlier), _labels(now, names, later)
    both = before.compared & after.compared
    if (before.wanted[both] != after.wanted[both]).any():
        return None
    metrics = tuple(name for name in now.metrics if name in then.metrics)
    return LabelPairs(then=before, now=after, metrics=metrics)


def on_scales(
    specs: Mapping[str, MetricSpec], pairs: LabelPairs | None
) -> Mapping[str, MetricSpec]:
    """Return what metrics are, those of labels with the range of what a sample adds to them."""
    linear = pairs.linear if pairs else {}
    own = {
        name: macro.on_scale(specs[name], both) for name, both in linear.items() if name in specs
    }
    return {**specs, **own}


def _known(numbers: Ints, labels: Labels) -> tuple[int, ...]:
    import numpy as np

    return tuple(np.where(labels.compared, numbers, _NONE).tolist())


def _labels(kept: KeptLabels, names: tuple[str, ...], places: Sequence[int]) -> Labels:
    import numpy as np

    at = np.array(places, dtype=np.intp)
    # what is not compared, at -1, is the last one too
    numbers = np.array([*(names.index(name) for name in kept.names), *[len(names)] * 2])
    wanted, given = (np.array(held, dtype=np.int64)[at] for held in (kept.wanted, kept.given))
    return Labels(
        names=names,
        wanted=numbers[wanted],
        given=numbers[given],
        compared=wanted != _NONE,
        causes={},
    )


def _at(labels: Labels, places: NDArray[np.intp]) -> Labels:
    held = {name: getattr(labels, name)[places] for name in ("wanted", "given", "compared")}
    return replace(labels, **held)
