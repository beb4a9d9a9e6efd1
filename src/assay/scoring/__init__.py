"""The scoring stages: what is said of each answer. Another one is a file here and its place in
`SCORERS`, which is its place in a run, in a pipeline and in the help."""

from assay.scoring.auto_metrics import AUTO_METRICS
from assay.scoring.contract import Scorer
from assay.scoring.judging import JUDGING

__all__ = ["AUTO_METRICS", "JUDGING", "SCORERS", "Scorer", "named"]

SCORERS: tuple[Scorer, ...] = (AUTO_METRICS, JUDGING)


def named(name: str) -> Scorer:
    """Return the scoring stage of that name. Raises KeyError."""
    return {scorer.name: scorer for scorer in SCORERS}[name]
