"""Auto-metrics: predictions in, one score a sample for each metric out."""

from assay.metrics.contract import MetricFunction, Unscored, target_of
from assay.metrics.corpus import CORPUS_METRICS
from assay.metrics.stage import MetricsSettings, check, compute_metrics, compute_sides, missing
from assay.metrics.table import DIAGNOSTICS, METRICS, unavailable
from assay.metrics.totals import totals, totals_path
from assay.records import Total

__all__ = [
    "CORPUS_METRICS",
    "DIAGNOSTICS",
    "METRICS",
    "MetricFunction",
    "MetricsSettings",
    "Total",
    "Unscored",
    "check",
    "compute_metrics",
    "compute_sides",
    "missing",
    "target_of",
    "totals",
    "totals_path",
    "unavailable",
]
