"""Auto-metrics: predictions in, one score a sample for each metric out."""

from assay.metrics.catalogue import CATALOGUE, DIAGNOSTICS
from assay.metrics.contract import AutoMetric, CorpusFunction, MetricFunction, Unscored, target_of
from assay.metrics.stage import (
    MetricsSettings,
    check,
    compute_metrics,
    compute_sides,
    missing,
    specs,
)
from assay.metrics.table import CORPUS_METRICS, METRICS, unavailable
from assay.metrics.totals import totals, totals_path
from assay.records import Total

__all__ = [
    "CATALOGUE",
    "CORPUS_METRICS",
    "DIAGNOSTICS",
    "METRICS",
    "AutoMetric",
    "CorpusFunction",
    "MetricFunction",
    "MetricsSettings",
    "Total",
    "Unscored",
    "check",
    "compute_metrics",
    "compute_sides",
    "missing",
    "specs",
    "target_of",
    "totals",
    "totals_path",
    "unavailable",
]
