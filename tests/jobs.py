"""What a model may be asked for, in tests that load none."""

from __future__ import annotations

from assay.llamafactory.job import GenerateJob

JOB = GenerateJob(
    base="base",
    base_name="base",
    adapter="",
    digest="",
    load_seed=1,
    dataset_hash="",
    settings={},
)
