"""What the child process that answers for the checkpoints is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.llamafactory.job import GenerateJob

ASKED = "asked.json"


@dataclass(frozen=True, kw_only=True)
class CheckpointJobs:
    """A job for each folder by its name, on the `samples` of a file: the likelihood of their
    targets, and with `answers` their answers, too. Where `shared`, all are adapters of one base,
    which is loaded once."""

    jobs: Mapping[str, GenerateJob]
    samples: str
    answers: bool
    shared: bool
