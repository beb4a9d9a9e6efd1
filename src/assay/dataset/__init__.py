"""Data of any common form -> samples."""

from assay.dataset.check import Check, check
from assay.dataset.description import describe, describe_summary, sum_up
from assay.dataset.findings import Finding, Spread
from assay.dataset.lengths import Lengths, Tokens
from assay.dataset.llamafactory import to_llamafactory
from assay.dataset.overlap import Overlap, Pair, compare
from assay.dataset.prepare import EVALUATION, SUMMARY, TRAINING, Summary, Used, prepare
from assay.dataset.reading import Reading, load, read
from assay.dataset.settings import DatasetSettings

__all__ = [
    "EVALUATION",
    "SUMMARY",
    "TRAINING",
    "Check",
    "DatasetSettings",
    "Finding",
    "Lengths",
    "Overlap",
    "Pair",
    "Reading",
    "Spread",
    "Summary",
    "Tokens",
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
