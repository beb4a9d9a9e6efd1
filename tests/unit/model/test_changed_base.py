"""What an adapter answered on one base is not taken for what it answers on another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assay import model, store
from assay.engine import choice
from assay.errors import SettingsError
from assay.folder import GENERATION
from assay.generate import GenerateSettings, job_for
from assay.llamafactory.job import GenerateJob
from assay.records import Generation
from tests.models import LORA, safetensors, write_adapter, write_model


def job_of(adapter: Path) -> GenerateJob:
    return job_for(model.resolve(str(adapter)), [], GenerateSettings(template="qwen3"))


def generation(job: GenerateJob) -> Generation:
    return Generation(
        model=job.adapter,
        base_model=job.base_name,
        digest=job.digest,
        base_digest=job.base_digest,
        config_digest=job.config_digest,
        template="qwen3",
        dataset_hash=job.dataset_hash,
        samples=0,
        seconds=1.0,
        settings=choice.of_engine(job, "transformers").settings,
        results={},
        versions={},
    )


@pytest.fixture(name="adapter")
def make_adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))


def test_the_base_of_an_adapter_is_known_by_its_weights(adapter: Path, tmp_path: Path) -> None:
    assert job_of(adapter).base_digest == store.digest_weights(tmp_path / "base") != ""
    assert job_of(tmp_path / "base").base_digest == ""


def test_answers_on_another_base_are_not_taken(adapter: Path, tmp_path: Path) -> None:
    before = job_of(adapter)
    store.write_json(tmp_path / "out" / GENERATION, generation(before))
    assert choice.finished(tmp_path / "out", before, "auto", GenerateSettings)
    (tmp_path / "base" / "model.safetensors").write_bytes(safetensors(LORA, b"\7"))
    after = job_of(adapter)
    assert after.digest == before.digest
    assert choice.finished(tmp_path / "out", after, "auto", GenerateSettings) is None


def test_a_run_from_before_the_base_was_kept_is_taken_up(adapter: Path, tmp_path: Path) -> None:
    job = job_of(adapter)
    store.write_json(tmp_path / "out" / GENERATION, replace(generation(job), base_digest=""))
    assert choice.finished(tmp_path / "out", job, "auto", GenerateSettings)


def test_a_setting_of_a_later_version_was_its_default(adapter: Path, tmp_path: Path) -> None:
    job = job_of(adapter)
    made = generation(job)
    settings = {name: made.settings[name] for name in made.settings if name != "score_thoughts"}
    store.write_json(tmp_path / "out" / GENERATION, replace(made, settings=settings))
    assert choice.finished(tmp_path / "out", job, "auto", GenerateSettings)
    other = replace(job, settings={**job.settings, "score_thoughts": True})
    with pytest.raises(SettingsError, match=r"generate\.score_thoughts: False, not True"):
        choice.finished(tmp_path / "out", other, "auto", GenerateSettings)
