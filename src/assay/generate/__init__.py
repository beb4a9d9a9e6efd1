"""Answer the samples with one model: samples + model -> predictions, and the targets' likelihood.

A child process (assay.engine.child) holds the model. Its answers land in an append-only
partial file, so a killed stage resumes where it was; predictions.jsonl appears whole, in the order
of the samples, and generation.json after it says how it came to be.
"""

from assay.generate.job import NO_QUESTION, asked, job_for, templated, versioned
from assay.generate.settings import (
    GenerateSettings,
    check,
    check_here,
    check_in_image,
    inherit,
    inherit_from,
    withheld,
)
from assay.generate.stage import UNFINISHED, generate, take, work_folder

__all__ = [
    "NO_QUESTION",
    "UNFINISHED",
    "GenerateSettings",
    "asked",
    "check",
    "check_here",
    "check_in_image",
    "generate",
    "inherit",
    "inherit_from",
    "job_for",
    "take",
    "templated",
    "versioned",
    "withheld",
    "work_folder",
]
