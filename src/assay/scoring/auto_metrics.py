"""The auto-metrics as a scoring stage."""

from __future__ import annotations

from assay import metrics
from assay.folder import SCORES
from assay.scoring.contract import Scorer

AUTO_METRICS = Scorer(
    name="metrics",
    title="Auto-metrics",
    help="score the predictions with the auto-metrics",
    settings=metrics.MetricsSettings,
    usual=metrics.MetricsSettings(),
    modes=frozenset({"auto", "both"}),
    score=metrics.compute_sides,
    check=metrics.check,
    rows=SCORES,
)
