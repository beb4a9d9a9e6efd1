from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assay import model, store
from assay.errors import ModelError, StoreError
from assay.folder import MANIFEST
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
        store.write_json(folder / MANIFEST, written)
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
    other = write_model(tmp_path / "other", weights=b"other")
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


@pytest.fixture(name="own_cache")
def make_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


def test_models_in_a_store_are_what_they_are_here(
    bucket: str, tmp_path: Path, own_cache: None
) -> None:
    base = write_model(tmp_path / "base")
    store.publish(base, f"{bucket}/base")
    adapter = write_adapter(tmp_path / "adapter", base)
    manifest = model.read_manifest(adapter)
    assert manifest
    store.write_json(adapter / MANIFEST, replace(manifest, base_model=f"{bucket}/base"))
    store.publish(adapter, f"{bucket}/adapter")
    found = model.resolve(f"{bucket}/adapter")
    assert (found.name, found.base_name) == (f"{bucket}/adapter", f"{bucket}/base")
    assert found.digest == manifest.digest
    assert (Path(found.adapter) / "adapter_model.safetensors").read_bytes() == b"adapter"
    assert (Path(found.base) / "model.safetensors").read_bytes() == b"base"
    assert model.base_digest(f"{bucket}/base") == manifest.base_digest


def test_a_look_at_a_model_in_a_store_leaves_its_weights_there(
    bucket: str, tmp_path: Path, own_cache: None
) -> None:
    base = write_model(tmp_path / "base")
    store.publish(base, f"{bucket}/base")
    store.publish(write_adapter(tmp_path / "adapter", base), f"{bucket}/adapter")
    found = model.resolve(f"{bucket}/adapter", f"{bucket}/base", weights=False)
    assert (found.base_name, found.digest) == (f"{bucket}/base", "")
    assert found.manifest
    assert list((tmp_path / "cache").rglob("*.safetensors")) == []


def test_an_adapter_in_a_store_of_another_base_is_refused(
    bucket: str, tmp_path: Path, own_cache: None
) -> None:
    base = write_model(tmp_path / "base")
    store.publish(write_adapter(tmp_path / "adapter", base), f"{bucket}/adapter")
    store.publish(write_model(tmp_path / "other", weights=b"other"), f"{bucket}/other")
    with pytest.raises(ModelError, match=r"not minio://.*/other"):
        model.resolve(f"{bucket}/adapter", f"{bucket}/other")
    with pytest.raises(StoreError, match=r"/nothing is not there"):
        model.resolve(f"{bucket}/nothing", weights=False)


@pytest.mark.parametrize(
    ("start", "refused", "refused_with_seed"),
    [
        ("pissa_niter_16", True, False),
        ("pissa_niter_4", True, False),
        ("corda", True, True),
        *((start, False, False) for start in (True, False, "gaussian", "orthogonal", "eva")),
        *((start, False, False) for start in ("pissa", "olora", "loftq")),
    ],
)
def test_an_adapter_whose_beginning_cannot_be_made_again_is_refused(
    start: object, refused: bool, refused_with_seed: bool, tmp_path: Path
) -> None:
    base = write_model(tmp_path / "base")
    for name, seeded, wrong in (("other", False, refused), ("ours", True, refused_with_seed)):
        adapter = write_adapter(tmp_path / name, base, manifest=seeded)
        config = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(
            json.dumps(config | {"init_lora_weights": start})
        )
        if seeded:
            manifest = model.read_manifest(adapter)
            assert manifest
            store.write_json(adapter / MANIFEST, replace(manifest, settings={"seed": 7}))
        if wrong:
            with pytest.raises(ModelError, match=f"init_lora_weights: {start}.*pissa_converted"):
                model.resolve(str(adapter))
        else:
            assert model.resolve(str(adapter)).seed == (7 if seeded else None)


def test_an_adapter_that_names_a_module_to_import_is_refused(tmp_path: Path) -> None:
    """PEFT would import it, from the folder that the command runs in too."""
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    config = json.loads((adapter / "adapter_config.json").read_text())
    config |= {"megatron_config": {"x": 1}, "megatron_core": "models.downloaded.code"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"models\.downloaded\.code.*Remove megatron_config"):
        model.resolve(str(adapter))


@pytest.mark.parametrize("content", ["[1]", '"lora"', "5", "null"])
def test_an_adapter_whose_configuration_is_no_object_is_refused(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"adapter_config\.json is no JSON object"):
        model.resolve(str(tmp_path), "owner/base")
