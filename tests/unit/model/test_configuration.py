"""What stands beside a model's weights is part of the model: an edit of it is another model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assay import model, store
from assay.engine import choice, weights
from assay.errors import ModelError, StageError
from assay.folder import GENERATION, MANIFEST
from assay.generate import GenerateSettings, job_for
from assay.model.configuration import FILES
from assay.records import ModelManifest
from tests.models import write_adapter, write_model
from tests.unit.model.test_changed_base import generation, job_of

EDITED = ("config.json", "adapter_config.json", "generation_config.json", "tokenizer.json")


@pytest.fixture(name="adapter")
def make_adapter(tmp_path: Path) -> Path:
    """An adapter as a fine-tune leaves it."""
    folder = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"), lora_alpha=16)
    (folder / "tokenizer.json").write_text("{}")
    made = ModelManifest(
        base_model=str(tmp_path / "base"),
        base_digest="",
        finetuning_type="lora",
        template="qwen3",
        digest=store.digest_weights(folder),
        dataset_hash="",
        samples=1,
        settings={},
        versions={},
        configuration=model.configuration(folder),
    )
    store.write_json(folder / MANIFEST, made)
    return folder


def edit(path: Path, **values: object) -> None:
    before = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(before | values))


@pytest.mark.parametrize("name", FILES)
def test_an_edited_file_is_not_what_was_fine_tuned(adapter: Path, name: str) -> None:
    edit(adapter / name, lora_alpha=64)
    with pytest.raises(ModelError, match=rf"{name} is not what the fine-tune wrote"):
        model.resolve(str(adapter))


def test_a_file_that_is_gone_is_named_too(adapter: Path) -> None:
    (adapter / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json is not what the fine-tune wrote"):
        model.resolve(str(adapter))


def test_without_its_manifest_it_is_taken_as_it_is(adapter: Path) -> None:
    (adapter / MANIFEST).unlink()
    edit(adapter / "adapter_config.json", lora_alpha=64)
    assert model.resolve(str(adapter)).adapter == str(adapter)


def test_a_manifest_from_before_says_nothing_of_it(adapter: Path) -> None:
    made = store.read_record(adapter / MANIFEST, ModelManifest)
    store.write_json(adapter / MANIFEST, replace(made, configuration={}))
    edit(adapter / "adapter_config.json", lora_alpha=64)
    assert model.resolve(str(adapter)).manifest


def test_where_the_base_lies_is_no_part_of_it(adapter: Path, tmp_path: Path) -> None:
    before = job_of(adapter)
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    edit(adapter / "adapter_config.json", base_model_name_or_path=str(tmp_path / "elsewhere"))
    resolved = model.resolve(str(adapter), str(tmp_path / "elsewhere"))
    after = job_for(resolved, [], GenerateSettings(template="qwen3"))
    assert after.config_digest == before.config_digest != ""


@pytest.mark.parametrize("name", EDITED)
def test_answers_of_another_configuration_are_not_taken_up(
    adapter: Path, tmp_path: Path, name: str
) -> None:
    before = job_of(adapter)
    made = generation(before)
    store.write_json(tmp_path / "out" / GENERATION, made)
    assert choice.finished(tmp_path / "out", before, "auto", GenerateSettings)
    edit((adapter if name == "adapter_config.json" else tmp_path / "base") / name, rope_theta=1)
    (adapter / MANIFEST).unlink()
    after = job_of(adapter)
    assert after.digest == before.digest
    assert after.base_digest == before.base_digest
    assert choice.finished(tmp_path / "out", after, "auto", GenerateSettings) is None
    store.write_json(tmp_path / "out" / GENERATION, replace(made, config_digest=""))
    assert choice.finished(tmp_path / "out", after, "auto", GenerateSettings), "from before"


@pytest.mark.parametrize("name", EDITED)
@pytest.mark.parametrize("which", ["adapter", "base"])
def test_each_process_proves_it_before_it_loads(
    adapter: Path, tmp_path: Path, which: str, name: str
) -> None:
    job = job_of(adapter)
    weights.prove(job)
    edit(tmp_path / which / name, lora_alpha=64)
    with pytest.raises(StageError, match="a file beside the weights"):
        weights.prove(job)
