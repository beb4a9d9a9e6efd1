"""How many samples of the whole run each filter of the page stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.llamafactory.totals import LIKELIHOOD
from assay.report.run import EvaluatedRun, SideRun
from assay.report.sides import identical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def counts(run: EvaluatedRun) -> dict[str, int]:
    """Return the samples by filter, over all of the run; what a metric gained or lost is in its
    comparison."""
    import numpy as np

    def of_any(*by_side: NDArray[np.bool_]) -> int:
        return int(np.logical_or.reduce(by_side).sum())

    answers = [side.answers for side in run.sides]
    return {
        "all": len(run.positions),
        "unscored": of_any(*(_unscored(run, side) for side in run.sides)),
        "truncated": of_any(*(given.cut | given.prompt_truncated for given in answers)),
        "identical": identical(run),
        "silent": of_any(*(given.length <= 0 for given in answers)),
        **_preferences(run),
    }


def _unscored(run: EvaluatedRun, side: SideRun) -> NDArray[np.bool_]:
    import numpy as np

    lacking = np.zeros(len(run.positions), dtype=np.bool_)
    likelihoods = {spec.name for spec in LIKELIHOOD}
    for scores in (side.scores, side.verdicts):
        for name, causes in scores.causes.items():
            if side.generation.served and name in likelihoods:
                continue  # an endpoint has none for any sample
            lacking[list(causes)] = True
    return lacking & (side.answers.length >= 0)


def _preferences(run: EvaluatedRun) -> dict[str, int]:
    if run.pairing is None:
        return {}
    return {
        "pair-candidate": run.pairing.wins,
        "pair-baseline": run.pairing.losses,
        "pair-tie": run.pairing.ties - run.pairing.inconsistent,
        "pair-inconsistent": run.pairing.inconsistent,
    }
