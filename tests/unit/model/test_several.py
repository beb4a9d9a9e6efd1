"""Adapters on top of each other: one model of several names, each checked by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import config, model, plan, store
from assay.engine import weights
from assay.engine.vllm.weights import why_written
from assay.errors import InputError, ModelError, SettingsError, StageError
from assay.folder import MANIFEST
from assay.generate import GenerateSettings, job_for
from assay.llamafactory.job import GenerateJob, loading
from assay.records import ModelManifest
from assay.report.places import _short
from tests.models import LORA, safetensors, write_adapter, write_model

BASE, FIRST, SECOND = "base", "sft", "dpo"


@pytest.fixture(name="folder")
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base model and two adapters of it, in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    base = write_model(tmp_path / BASE)
    for name, seed in ((FIRST, b"\1"), (SECOND, b"\2")):
        adapter = write_adapter(tmp_path / name, base)
        (adapter / "adapter_model.safetensors").write_bytes(safetensors(LORA, seed))
    return tmp_path


def job(name: str) -> GenerateJob:
    return job_for(model.resolve(name), [], GenerateSettings(template="qwen3"))


def test_it_is_loaded_as_llamafactory_takes_several(folder: Path) -> None:
    found = model.resolve(f"{FIRST}, {SECOND}")
    assert [each.name for each in found.each] == [FIRST, SECOND]
    assert found.base_name == str(folder / BASE)
    asked = loading(job(f"{FIRST},{SECOND}"))
    assert asked["adapter_name_or_path"] == f"{FIRST},{SECOND}"
    assert asked["model_name_or_path"] == str(folder / BASE)
    assert why_written(job(f"{FIRST},{SECOND}")) == "its adapters are on top of each other"


def test_the_digest_is_of_all_in_their_order(folder: Path) -> None:
    digests = {
        model.resolve(name).digest
        for name in (FIRST, SECOND, f"{FIRST},{SECOND}", f"{SECOND},{FIRST}", f"{FIRST},{FIRST}")
    }
    assert len(digests) == 5
    assert "" not in digests
    both = job(f"{FIRST},{SECOND}")
    weights.prove(both)
    (folder / FIRST / "adapter_model.safetensors").write_bytes(safetensors(LORA, b"\7"))
    with pytest.raises(StageError, match="sft,dpo: its weights"):
        weights.prove(both)


def test_what_is_inherited_is_the_last_that_says_something(folder: Path) -> None:
    written = ModelManifest(
        base_model=str(folder / BASE),
        base_digest=model.base_digest(str(folder / BASE)),
        finetuning_type="lora",
        template="llama3",
        digest=store.digest_weights(folder / FIRST),
        dataset_hash="0" * 64,
        samples=1,
        settings={},
        versions={},
    )
    store.write_json(folder / FIRST / MANIFEST, written)
    found = model.resolve(f"{FIRST},{SECOND}")
    assert found.manifest
    assert found.manifest.template == "llama3"
    assert model.tuned_from(found) == str(folder / BASE)
    # Assay's own record of the first says nothing of the second
    moved = (folder / BASE).rename(folder / "moved")
    again = model.resolve(f"{FIRST},{SECOND}", str(moved))
    (told,) = model.remarks(again, {}, "generate.llamafactory")
    assert told.startswith(f"{SECOND} names {folder / BASE} as its base, which is not here")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"{BASE},{SECOND}", r"base is no adapter.*Name the adapters alone as model.*base_model"),
        (f"{FIRST},{BASE}", "base is no adapter"),
        (f"{FIRST},owner/dpo", "owner/dpo is no adapter"),
        (f"{FIRST},gone", "model gone does not exist"),
        (f"{FIRST},", "sft, names nothing beside a comma"),
        (f"{FIRST},other-dpo", r"sft adapts .*/base, and other-dpo adapts .*/other: .*one base"),
        (f"{FIRST},drawn", r"drawn begins with .*pissa_niter_4.*one of several.*pissa_converted"),
    ],
)
def test_what_cannot_be_on_top_of_each_other_is_refused(name: str, told: str, folder: Path) -> None:
    write_adapter(folder / "other-dpo", write_model(folder / "other", b"\5"))
    drawn = write_adapter(folder / "drawn", folder / BASE, init_lora_weights="pissa_niter_4")
    seeded = ModelManifest(
        base_model=str(folder / BASE),
        base_digest="",
        finetuning_type="lora",
        template="qwen3",
        digest=store.digest_weights(drawn),
        dataset_hash="0" * 64,
        samples=1,
        settings={"seed": 1},
        versions={},
    )
    store.write_json(drawn / MANIFEST, seeded)
    with pytest.raises(ModelError, match=told):
        model.resolve(name)


def test_bases_of_the_same_content_are_one(folder: Path) -> None:
    write_adapter(folder / "elsewhere", write_model(folder / "copy"))
    assert model.resolve(f"{FIRST},elsewhere").base_name == str(folder / BASE)


def test_an_adapter_under_a_name_with_a_comma_is_refused(folder: Path) -> None:
    write_adapter(folder / "a,b", folder / BASE)
    with pytest.raises(ModelError, match=r"a,b lies under a name with a comma.*Rename"):
        model.resolve("a,b")
    assert model.resolve(str(write_model(folder / "c,d"))).name == str(folder / "c,d")


@pytest.mark.parametrize("broken", [FIRST, SECOND])
def test_each_has_to_be_whole(broken: str, folder: Path) -> None:
    (folder / broken / "adapter_model.safetensors").unlink()
    (folder / broken / "adapter_model.bin").unlink(missing_ok=True)
    with pytest.raises(ModelError, match=f"{broken} holds no weights"):
        model.check_whole(model.resolve(f"{FIRST},{SECOND}"))


@pytest.mark.parametrize(
    ("quantized", "given", "told"),
    [
        (False, {}, ""),
        (False, {"quantization_bit": 4}, r"generate\.llamafactory\.quantization_bit is set"),
        (True, {}, r"its base is quantized \(gptq\)"),
    ],
)
def test_where_nothing_can_be_merged_it_is_refused(
    quantized: bool, given: Mapping[str, Any], told: str, folder: Path
) -> None:
    if quantized:
        write_model(folder / BASE, quantization_config={"quant_method": "gptq"})
    for name in (FIRST, f"{FIRST},{SECOND}"):
        found = model.resolve(name)
        if told and name != FIRST:
            with pytest.raises(ModelError, match=told):
                model.check_merge(found, given, "generate.llamafactory")
        else:
            model.check_merge(found, given, "generate.llamafactory")


def test_it_is_written_as_a_list_or_with_commas(folder: Path) -> None:
    (folder / "eval.json").write_text("[]")
    for name, written in (("list", f"[{FIRST}, {SECOND}]"), ("text", f"{FIRST},{SECOND}")):
        file = folder / f"{name}.yaml"
        file.write_text(
            f"mode: auto\ndataset: {{eval: eval.json}}\nmodel: {written}\nbaseline: [{FIRST}]\n"
        )
        asked = config.load(file)
        assert asked.model == f"{folder / FIRST},{folder / SECOND}"
        assert asked.baseline == str(folder / FIRST)
        made = plan.make(asked)
        assert made.candidate == asked.model
        assert plan.make(replace(asked, baseline="")).baseline == str(folder / BASE)


@pytest.mark.parametrize(
    "wrong",
    [[], [""], [1], [None], ["a", ["b"]], ["a,b", "c"], [{"endpoint": "http://llm/v1"}, "a"]],
)
def test_a_list_of_anything_else_is_refused(wrong: list[object]) -> None:
    for name in ("model", "baseline"):
        values = {"mode": "auto", "dataset": {"eval": "e.json"}, "model": "m", name: wrong}
        with pytest.raises(
            SettingsError, match=f"{name} = .* is no list of adapters.*stands alone"
        ):
            config.parse(values)


def test_the_newest_of_a_prefix_may_be_among_them(folder: Path) -> None:
    tuned = folder / "tuned" / "run-1"
    write_adapter(tuned, folder / BASE)
    named = f"{folder}/{FIRST},{folder}/tuned/latest"
    meant = f"{folder}/{FIRST},{tuned}"
    assert model.newest(named) == meant
    assert model.is_latest_of(named, meant)
    assert not model.is_latest_of(named, f"{folder}/{SECOND},{tuned}")
    assert not model.is_latest_of(named, str(tuned))


def test_what_answers_are_kept_under_changes_with_each(folder: Path) -> None:
    before = model.content(f"{FIRST},{SECOND}")
    assert before != model.content(f"{SECOND},{FIRST}")
    (folder / FIRST / "adapter_config.json").write_text(json.dumps({"r": 4}))
    assert model.content(f"{FIRST},{SECOND}") != before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/sft,/home/me/dpo", "sft,dpo"),
        ("/home/me/sft,s3://bucket/dpo", "sft,s3://bucket/dpo"),
        ("/home/me/a, b/model", "a, b/model"),
    ],
)
def test_a_report_names_each_without_its_folder(text: str, shown: str) -> None:
    assert _short(text) == shown


def test_those_in_a_store_are_fetched_each(
    bucket: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(folder / "cache"))
    for name in (FIRST, SECOND):
        store.publish(folder / name, f"{bucket}/{name}")
    name = f"{bucket}/{FIRST},{bucket}/{SECOND}"
    looked = model.resolve(name, weights=False)
    assert (looked.digest, len(looked.each)) == ("", 2)
    model.fetch(name)
    assert model.resolve(name).digest == model.resolve(f"{FIRST},{SECOND}").digest
    with pytest.raises(InputError, match="is not there"):
        model.resolve(f"{bucket}/{FIRST},{bucket}/gone")
