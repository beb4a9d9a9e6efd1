"""The weights of the checkpoints, and their base's, are looked at where they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import store
from assay.checkpoints import answers, child
from assay.errors import InputError, StageError
from assay.finetune import FinetuneSettings
from assay.generate import GenerateSettings, job_for
from assay.llamafactory.job import GenerateJob
from tests.models import LORA, safetensors, write_adapter, write_model

FILE = "adapter_model.safetensors"


@pytest.fixture(name="jobs")
def make_jobs(tmp_path: Path) -> list[GenerateJob]:
    """What is asked of two checkpoints."""
    base = write_model(tmp_path / "base")
    tuning = FinetuneSettings(base_model=str(base), template="qwen3")
    folders = [write_adapter(tmp_path / f"checkpoint-{step}", base) for step in (2, 4)]
    settings = GenerateSettings(template="qwen3")
    return [job_for(answers._model(path, str(base), tuning), [], settings) for path in folders]


def test_those_that_are_whole_and_the_same_are_loaded(
    jobs: list[GenerateJob], tmp_path: Path
) -> None:
    child._prove(jobs, tmp_path)


def test_a_damaged_one_is_named(jobs: list[GenerateJob], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-4" / FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"{path} is cut off"):
        child._prove(jobs, tmp_path)


@pytest.mark.parametrize("changed", [f"checkpoint-4/{FILE}", "base/model.safetensors"])
def test_one_that_changed_after_it_was_asked_for_is_refused(
    jobs: list[GenerateJob], tmp_path: Path, changed: str
) -> None:
    (tmp_path / changed).write_bytes(safetensors(LORA, b"\7"))
    with pytest.raises(StageError, match="are no longer those that this run began with"):
        child._prove(jobs, tmp_path)


def test_what_the_stage_has_read_its_child_is_told(jobs: list[GenerateJob], tmp_path: Path) -> None:
    from assay.engine import weights

    weights.tell(tmp_path, *jobs)
    told = store.read_rows(tmp_path / "read.jsonl", store.ReadFile)
    assert len(list(told)) == len(jobs) + 1, "each adapter, and their base"
