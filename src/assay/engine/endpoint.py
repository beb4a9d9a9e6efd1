"""A model behind an endpoint answers by itself (assay.served): there are no weights here, and so no
token ids to give or take."""

from __future__ import annotations

from assay.llamafactory.job import GenerateJob

NAME = "endpoint"


def find(job: GenerateJob) -> str:
    """Return why this is no engine for a job, which is one of weights."""
    return f"{job.base_name} has weights, and is behind no endpoint"
