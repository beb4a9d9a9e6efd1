"""Data of any common form -> samples."""

from assay.dataset.check import Check, check
from assay.dataset.description import describe, describe_summary, sum_up
from assay.dataset.findings import Finding, Spread
from assay.dataset.lengths import Lengths, Tokens, Unmeasured
from assay.dataset.llamafactory import to_llamafactory
from assay.dataset.overlap import Match, Overlap, compare
from assay.dataset.prepare import DatasetSummary, Used, prepare
from assay.dataset.reading import SourceReading, load, read
from assay.dataset.settings import DatasetSettings
from assay.folder import SUMMARY

__all__ = [
    "SUMMARY",
    "Check",
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
    "load",
    "prepare",
    "read",
    "sum_up",
    "to_llamafactory",
]
