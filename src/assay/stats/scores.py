"""The scores of one side as arrays: collected from rows, joined and split."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay.records import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]
    Positions = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class SideScores:
    """The scores of one side over `samples` samples: metric name -> one value a sample, in the
    dataset's order, NaN where unscored; and metric name -> sample's position -> cause. `clusters`
    has the number of each sample's cluster, in the same order; None where each is its own."""

    samples: int
    values: Mapping[str, Floats]
    causes: Mapping[str, Mapping[int, str]]
    clusters: ClusterNumbers | None = None


def collect(
    positions: Mapping[str, int], rows: Iterable[Score], clusters: ClusterNumbers | None = None
) -> SideScores:
    """Return the scores in `rows` as arrays; `positions` is sample id -> position, and `clusters`
    the number of each position's cluster, None where each is its own.

    Where an id has several rows the last one counts: a name that only earlier ones have, such as
    a dimension of another rubric, is not among the scores. A value that is not finite is unscored.
    Raises KeyError for an id that has no position.
    """
    import numpy as np

    values: dict[str, Floats] = {}
    causes: dict[str, dict[int, str]] = {}
    seen, again = bytearray(len(positions)), False
    for row in rows:
        at = positions[row.id]
        if seen[at]:
            _forget(at, values, causes)
            again = True
        seen[at] = 1
        for name, value in row.values.items():
            if name not in values:
                values[name] = np.full(len(positions), np.nan)
            if math.isfinite(value):
                values[name][at] = value
            else:
                causes.setdefault(name, {})[at] = "not_finite"
        for name, cause in row.unscored.items():
            causes.setdefault(name, {})[at] = cause
    for name in causes:
        values.setdefault(name, np.full(len(positions), np.nan))
    if again:
        values = {name: array for name, array in values.items() if _given(name, array, causes)}
        causes = {name: by_position for name, by_position in causes.items() if name in values}
    return SideScores(samples=len(positions), values=values, causes=causes, clusters=clusters)


def joined(parts: Sequence[SideScores]) -> SideScores:
    """Return the scores of one side, of at least one scorer, as one; of a name that several give
    the last one's count."""
    values = {name: array for part in parts for name, array in part.values.items()}
    causes = {name: causes for part in parts for name, causes in part.causes.items()}
    return replace(parts[0], values=values, causes=causes)


def split(scores: SideScores, groups: Sequence[Positions]) -> list[SideScores]:
    """Return the scores of each group of samples, which are given by their positions and have none
    in common."""
    import numpy as np

    number, place = np.full((2, scores.samples), -1)
    for group, at in enumerate(groups):
        number[at], place[at] = group, np.arange(len(at))
    causes = _split_causes(scores, number.tolist(), place.tolist(), len(groups))
    return [
        SideScores(
            samples=len(at),
            values={name: array[at] for name, array in scores.values.items()},
            causes=of_group,
            clusters=None if scores.clusters is None else scores.clusters[at],
        )
        for at, of_group in zip(groups, causes, strict=True)
    ]


def _split_causes(
    scores: SideScores, number: Sequence[int], place: Sequence[int], groups: int
) -> list[dict[str, dict[int, str]]]:
    causes: list[dict[str, dict[int, str]]] = [
        {name: {} for name in scores.causes} for _ in range(groups)
    ]
    for name, by_position in scores.causes.items():
        for at, cause in by_position.items():
            if number[at] >= 0:
                causes[number[at]][name][place[at]] = cause
    return causes


def _given(name: str, array: Floats, causes: Mapping[str, Mapping[int, str]]) -> bool:
    """Return whether a row that counts has this name: with a number, or with a cause."""
    import numpy as np

    return bool(causes.get(name)) or not np.isnan(array).all()


def _forget(at: int, values: dict[str, Floats], causes: dict[str, dict[int, str]]) -> None:
    for array in values.values():
        array[at] = math.nan
    for by_position in causes.values():
        by_position.pop(at, None)
