"""Data of any common form -> samples."""

from assay.dataset.check import Check, Finding, check
from assay.dataset.description import describe
from assay.dataset.llamafactory import to_llamafactory
from assay.dataset.overlap import Overlap, Pair, compare
from assay.dataset.prepare import SUMMARY, Summary, Used, prepare
from assay.dataset.reading import Reading, load, read
from assay.dataset.settings import DatasetSettings

__all__ = [
    "SUMMARY",
    "Check",
    "DatasetSettings",
    "Finding",
    "Overlap",
    "Pair",
    "Reading",
    "Summary",
    "Used",
    "check",
    "compare",
    "describe",
    "load",
    "prepare",
    "read",
    "to_llamafactory",
]
