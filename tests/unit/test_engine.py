"""An engine is one module and one line: the first that can do a job answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import engine
from assay.engine.transformers import Transformers
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
OWN = """
def find(job):
    return "own" if job.adapter else None
"""


@pytest.fixture(name="own")
def register_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an engine that can only do adapters before the others."""
    (tmp_path / "own_engine_of_adapters.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine, "ENGINES", {"own": "own_engine_of_adapters", **engine.ENGINES})


def test_transformers_answers_whatever_else_there_is_not() -> None:
    assert engine.find(JOB) == Transformers(job=JOB)


@pytest.mark.usefixtures("own")
def test_the_first_engine_that_can_do_the_job_answers() -> None:
    assert engine.find(JOB) == Transformers(job=JOB)
    with_adapter = GenerateJob(**{**vars(JOB), "adapter": "adapter"})
    assert engine.find(with_adapter) == "own"  # type: ignore[comparison-overlap]
