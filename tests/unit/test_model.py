from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assay import model, store
from assay.errors import ModelError
from assay.records import ModelManifest


def write_model(folder: Path, weights: bytes = b"base") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def write_adapter(folder: Path, base: Path, *, manifest: bool = True) -> Path:
    folder.mkdir()
    config = {"base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"adapter")
    if manifest:
        written = ModelManifest(
            base_model=str(base),
            base_digest=model.base_digest(str(base)),
            finetuning_type="lora",
            template="qwen3",
            digest=store.digest_weights(folder),
            dataset_hash="0" * 64,
            samples=1,
            settings={},
            versions={},
        )
        store.write_json(folder / model.MANIFEST, written)
    return folder


def test_an_adapter_knows_its_base(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", base)
    resolved = model.resolve(str(adapter))
    assert (resolved.base, resolved.adapter) == (str(base), str(adapter))
    assert resolved.digest == store.digest_weights(adapter) != ""
    assert resolved.manifest is not None


def test_a_moved_base_is_accepted_when_its_weights_are_the_same(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    moved = (tmp_path / "base").rename(tmp_path / "moved")
    assert model.resolve(str(adapter), str(moved)).base == str(moved)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    other = write_model(tmp_path / "other", weights=b"other")
    with pytest.raises(ModelError, match=r"not .*other"):
        model.resolve(str(adapter), str(other))


def test_a_foreign_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", base, manifest=False)
    other = write_model(tmp_path / "other")
    assert model.resolve(str(adapter)).base == str(base)
    with pytest.raises(ModelError, match="Set base_model"):
        model.resolve(str(adapter), str(other))


def test_weights_that_changed_since_the_fine_tune_are_refused(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    (adapter / "adapter_model.safetensors").write_bytes(b"something else")
    with pytest.raises(ModelError, match="not those that were fine-tuned"):
        model.resolve(str(adapter))


def test_a_hub_id_is_left_to_the_hub() -> None:
    resolved = model.resolve("Qwen/Qwen3-8B")
    assert (resolved.base, resolved.digest) == ("Qwen/Qwen3-8B", "")


@pytest.mark.parametrize("name", ["/no/such/model", "./model", "no-such-model", "a/b/c", "~/m"])
def test_a_model_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        model.resolve(name)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file"):
        model.resolve(str(tmp_path / "file"))
    with pytest.raises(ModelError, match="holds no model"):
        model.resolve(str(tmp_path))


def test_a_model_in_a_store_is_known_by_its_small_files_and_used_by_its_uri(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base_uri, uri = f"{bucket}/base", f"{bucket}/run/model"
    base = write_model(tmp_path / "base")
    store.publish(base, base_uri)
    adapter = write_adapter(tmp_path / "adapter", base)
    written = replace(
        store.read_record(adapter / model.MANIFEST, ModelManifest), base_model=base_uri
    )
    store.write_json(adapter / model.MANIFEST, written)
    store.publish(adapter, uri)

    described = model.describe(uri)
    assert not (tmp_path / "cache").exists()
    assert (described.base_name, described.digest) == (base_uri, written.digest)
    assert model.manifest_of(uri) == written

    resolved = model.resolve(uri)
    assert (resolved.name, resolved.base_name) == (uri, base_uri)
    assert store.digest_weights(Path(resolved.adapter)) == resolved.digest == written.digest
    assert model.base_digest(resolved.base) == written.base_digest


def test_a_uri_that_holds_no_model_is_refused(tmp_path: Path, bucket: str) -> None:
    with pytest.raises(ModelError, match=r"nothing holds no whole model.*publish the model"):
        model.describe(f"{bucket}/nothing")
    (tmp_path / "readme").write_text("hello")
    store.publish(tmp_path, f"{bucket}/other")
    with pytest.raises(ModelError, match=r"other holds no model: neither config.json"):
        model.describe(f"{bucket}/other")
