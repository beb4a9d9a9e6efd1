"""Auto-metrics: predictions in, one score a sample for each metric out."""

from assay.metrics.catalogue import CATALOGUE, DIAGNOSTICS
from assay.metrics.contract import (
    AutoMetric,
    CorpusFunction,
    LabelFunction,
    MetricFunction,
    TaskFunction,
    Unscored,
    target_of,
)
from assay.metrics.free import need_targets
from assay.metrics.stage import (
    MetricsSettings,
    check,
    check_samples,
    compute_metrics,
    compute_sides,
    missing,
    specs,
)
from assay.metrics.suggest import suggest
from assay.metrics.table import CORPUS_METRICS, METRICS, TASK_METRICS, unavailable
from assay.metrics.task import TaskSettings
from assay.metrics.totals import totals, totals_path
from assay.records import Total

__all__ = [
    "CATALOGUE",
    "CORPUS_METRICS",
    "DIAGNOSTICS",
    "METRICS",
    "TASK_METRICS",
    "AutoMetric",
    "CorpusFunction",
    "LabelFunction",
    "MetricFunction",
    "MetricsSettings",
    "TaskFunction",
    "TaskSettings",
    "Total",
    "Unscored",
    "check",
    "check_samples",
    "compute_metrics",
    "compute_sides",
    "missing",
    "need_targets",
    "specs",
    "suggest",
    "target_of",
    "totals",
    "totals_path",
    "unavailable",
]
