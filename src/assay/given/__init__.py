"""Answers that exist already, in a file: evaluated as they are, without any model."""

from assay.given.prepare import check_unchanged, read, write
from assay.given.settings import SHORT, GivenAnswers, check_answering, expanded, given
from assay.given.stage import generate

__all__ = [
    "SHORT",
    "GivenAnswers",
    "check_answering",
    "check_unchanged",
    "expanded",
    "generate",
    "given",
    "read",
    "write",
]
