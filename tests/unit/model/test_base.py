"""A base is known by its contents: where it lies and what it is called there is no matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import config, model, plan, store
from assay.errors import ModelError
from assay.folder import MANIFEST
from assay.records import ModelManifest
from tests.models import LAYER, TENSORS, safetensors, write_adapter, write_model


def manifest(folder: Path, base: Path | str) -> Path:
    """Have `folder` be a fine-tune of `base`, as Assay writes one."""
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


@pytest.mark.parametrize("ours", [True, False])
def test_a_base_under_another_name_is_accepted_where_it_is_the_same(
    ours: bool, tmp_path: Path
) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", base)
    if ours:
        manifest(adapter, base)
    copy, other = write_model(tmp_path / "copy"), write_model(tmp_path / "other", b"\1")
    assert model.resolve(str(adapter), str(copy)).base == str(copy)
    with pytest.raises(ModelError, match=r"not \S+other.*Set base_model"):
        model.resolve(str(adapter), str(other))


@pytest.mark.parametrize("recorded", ["/gone/base", "owner/base", "../base", ""])
def test_a_foreign_adapter_whose_base_is_gone_goes_by_the_shapes(
    recorded: str, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter", recorded)
    here = write_model(tmp_path / "other name")
    resolved = model.resolve(str(adapter), str(here))
    remarks = list(model.remarks(resolved, {}, "generate.llamafactory"))
    assert len(remarks) == bool(recorded)
    assert all(f"names {recorded} as its base, which is not here" in told for told in remarks)


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ({f"{LAYER}.weight": (3, 2)}, f"{LAYER} is 2 x 2 in one and 3 x 2 in the other"),
        ({f"{LAYER.replace('q_', 'k_')}.weight": (2, 2), f"{LAYER}.weight": (9, 9)}, "9 x 9"),
    ],
)
def test_a_foreign_adapter_of_another_size_is_refused(
    shapes: dict[str, tuple[int, ...]], told: str, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter", "/gone/base")
    here = write_model(tmp_path / "here")
    (here / "model.safetensors").write_bytes(safetensors({**TENSORS, **shapes}))
    with pytest.raises(ModelError) as caught:
        model.resolve(str(adapter), str(here))
    assert f"does not fit {here}: " in str(caught.value)
    assert told in str(caught.value)


def test_a_foreign_adapter_of_a_deeper_model_is_refused(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", "/gone/base")
    deep = LAYER.replace(".0.", ".7.")
    shapes = {
        f"base_model.model.{layer}.lora_{factor}.weight": shape
        for layer in (LAYER, deep)
        for factor, shape in (("A", (1, 2)), ("B", (2, 1)))
    }
    (adapter / "adapter_model.safetensors").write_bytes(safetensors(shapes))
    with pytest.raises(ModelError, match=f"it has no layer {deep}"):
        model.resolve(str(adapter), str(write_model(tmp_path / "here")))


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("recorded", ["{}/gone", "./gone", "a/b/c"])
def test_a_base_that_is_gone_is_told_with_what_to_set(
    recorded: str, ours: bool, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter", recorded.format(tmp_path))
    if ours:
        manifest(adapter, recorded.format(tmp_path))
    with pytest.raises(ModelError, match=r"which is not here\. Set base_model to where it is now"):
        model.resolve(str(adapter), weights=False)


def test_a_base_model_that_does_not_exist_is_told(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    with pytest.raises(ModelError, match=r"model \./nowhere does not exist"):
        model.resolve(str(adapter), "./nowhere")


def test_a_whole_model_is_compared_with_where_its_base_is_now(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    tuned = manifest(write_model(tmp_path / "tuned", b"\2"), base)
    asked = {"dataset": {"eval": "none.json"}, "model": str(tuned), "mode": "auto"}
    assert plan.make(config.parse(asked)).baseline == str(base)
    moved = base.rename(tmp_path / "moved")
    assert plan.make(config.parse(asked | {"base_model": str(moved)})).baseline == str(moved)
    assert plan.make(config.parse(asked | {"baseline": "none"})).baseline == ""
    with pytest.raises(ModelError, match=r"which is not here\. Set base_model .* or baseline"):
        plan.make(config.parse(asked))
    other = write_model(tmp_path / "other", b"\3")
    with pytest.raises(ModelError, match="Set base_model to the model that it was tuned from"):
        plan.make(config.parse(asked | {"base_model": str(other)}))


def test_an_adapter_over_an_adapter_is_refused_with_the_way_out(tmp_path: Path) -> None:
    first = write_adapter(tmp_path / "first", write_model(tmp_path / "base"))
    second = write_adapter(tmp_path / "second", first)
    with pytest.raises(ModelError, match=r"first, which is an adapter itself. Merge .*export"):
        model.resolve(str(second))
