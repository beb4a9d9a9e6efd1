"""The numbers behind the report's charts: scores, lengths and the training's loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.intervals import SEED
from assay.report.contents import Points, Training
from assay.report.glossary import rank
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import rank_correlation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_POINTS = 1_000
MAX_STEPS = 1_000


def histograms(run: EvaluatedRun) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """Return the judge's scores: dimension -> side -> a count for each step of the scale."""
    names = {name for side in run.sides for name in side.verdicts.values}
    return {
        name: {
            side.side: _counts(side.verdicts.values[name], *run.scale)
            for side in run.sides
            if name in side.verdicts.values
        }
        for name in sorted(names, key=lambda name: (rank(name), name))
    }


def _counts(scores: NDArray[np.float64], low: int, high: int) -> tuple[int, ...]:
    import numpy as np

    return tuple(int((np.rint(scores) == score).sum()) for score in range(low, high + 1))


def points_of(side: SideRun, focus: str) -> list[Points]:
    """Return a seeded draw of (length of the answer, score), and how the two correlate."""
    import numpy as np

    if focus not in side.values:
        return []
    scores, lengths = side.values[focus], side.answers.length
    given = np.flatnonzero(np.isfinite(scores))
    drawn = np.sort(np.random.default_rng(SEED).permutation(given)[:MAX_POINTS])
    return [
        Points(
            side=side.side,
            lengths=tuple(lengths[drawn].tolist()),
            scores=tuple(scores[drawn].tolist()),
            correlation=rank_correlation(lengths[given].astype(np.float64), scores[given]),
        )
    ]


def training(run: EvaluatedRun) -> Training | None:
    """Return the loss over the steps, thinned; None where nothing was trained."""
    if run.manifest is None and not run.losses:
        return None
    every = -(-len(run.losses) // MAX_STEPS) or 1
    kept = run.losses[::every]
    return Training(
        steps=tuple(step for step, _, _ in kept),
        losses=tuple(loss for _, loss, _ in kept),
        finetuning_type=run.manifest.finetuning_type if run.manifest else "",
        samples=run.manifest.samples if run.manifest else 0,
        elapsed=run.losses[-1][2] if run.losses else "",
    )
