"""The panel in the report: what further judges say, and how far they agree with the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.report.contents import Opinion
from assay.report.glossary import rank
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import rank_correlation, weighted_kappa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def opinions(run: EvaluatedRun) -> tuple[Opinion, ...]:
    """Return the opinion of each further judge on each dimension of each side."""
    return tuple(opinion for side in run.sides for opinion in _of_side(side))


def _of_side(side: SideRun) -> Iterator[Opinion]:
    for summary, scores in side.panel:
        shared = [name for name in side.verdicts.values if name in scores.values]
        for name in sorted(shared, key=lambda name: (rank(name), name)):
            yield _opinion(
                side, summary.model, name, side.verdicts.values[name], scores.values[name]
            )


def _opinion(
    side: SideRun, model: str, name: str, first: NDArray[np.float64], other: NDArray[np.float64]
) -> Opinion:
    import numpy as np

    both = np.isfinite(first) & np.isfinite(other)
    n, first, other = int(both.sum()), first[both], other[both]
    return Opinion(
        side=side.side,
        model=model,
        name=name,
        n=n,
        first=float(first.mean()) if n else None,
        mean=float(other.mean()) if n else None,
        spearman=rank_correlation(first, other),
        weighted_kappa=weighted_kappa(first, other) if n else None,
    )
