"""Data of any common form -> samples."""

from assay.dataset.check import Check, check
from assay.dataset.clusters import Clusters
from assay.dataset.description import (
    describe,
    describe_summary,
    in_clusters,
    sum_up,
    unused_columns,
)
from assay.dataset.findings import Finding, Spread
from assay.dataset.lengths import Lengths, Tokens, Unmeasured
from assay.dataset.llamafactory import to_llamafactory
from assay.dataset.naming import hash_samples
from assay.dataset.overlap import Match, Overlap, compare
from assay.dataset.prepare import DatasetSummary, Used, drawn, prepare, read_evaluation
from assay.dataset.reading import SourceReading, load, read
from assay.dataset.settings import DatasetSettings
from assay.folder import SUMMARY

__all__ = [
    "SUMMARY",
    "Check",
    "Clusters",
    "DatasetSettings",
    "DatasetSummary",
    "Finding",
    "Lengths",
    "Match",
    "Overlap",
    "SourceReading",
    "Spread",
    "Tokens",
    "Unmeasured",
    "Used",
    "check",
    "compare",
    "describe",
    "describe_summary",
    "drawn",
    "hash_samples",
    "in_clusters",
    "load",
    "prepare",
    "read",
    "read_evaluation",
    "sum_up",
    "to_llamafactory",
    "unused_columns",
]
