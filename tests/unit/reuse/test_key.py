"""The key of an entry: everything that an answer depends on changes it, and nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from assay import generate as generating
from assay import hub, model, reuse, store
from assay.errors import InputError
from assay.generate import NO_QUESTION, GenerateSettings
from assay.llamafactory.job import GenerateJob
from assay.reuse import entry as entries
from tests.unit.reuse.kept import entry_of, job_of, write_adapter, write_model

COMMIT = "0123456789abcdef" * 2 + "01234567"
OTHERS: dict[str, Any] = {
    "template": "llama3",
    "thought_marks": ["[a]", "[/a]"],
    "llamafactory": {"infer_dtype": "float16"},
    "vllm": {"max_num_seqs": 8},
}


def another(value: object) -> object:
    """Return another value of the same type."""
    return (not value) if isinstance(value, bool) else value + 1  # type: ignore[operator]


SETTINGS = {
    field.name: OTHERS.get(field.name) or another(field.default)
    for field in fields(GenerateSettings)
    if field.name not in NO_QUESTION
}


def key(name: Path | str, settings: dict[str, object] | None = None, cache: str = "kept") -> str:
    return entry_of(str(name), cache, **(settings or {})).key


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_changes_it(tmp_path: Path, setting: str) -> None:
    base = write_model(tmp_path / "base")
    assert key(base) != key(base, {setting: SETTINGS[setting]}) != ""


def in_job(**changed: object) -> Callable[[GenerateJob], GenerateJob]:
    return lambda job: replace(job, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        in_job(dataset_hash="other samples"),
        in_job(load_seed=2),
        *(in_job(versions={"torch": "3", part: "next"}) for part in ("assay", "peft", "torch")),
    ],
)
def test_the_samples_and_the_versions_change_it(
    tmp_path: Path, change: Callable[[GenerateJob], GenerateJob]
) -> None:
    resolved, job = job_of(str(write_model(tmp_path / "base")))
    before, after = reuse.find("kept", resolved, job), reuse.find("kept", resolved, change(job))
    assert before
    assert after
    assert before.key != after.key


def test_every_part_of_the_job_is_in_it_or_known_by_the_models_files() -> None:
    """What is added to the job is in the key by itself; what is left out says where a model is, or
    is in it elsewhere."""
    left_out = {"base", "base_name", "base_digest", "config_digest", "adapter", "digest", "engine"}
    assert set(entries._SAID_APART) == left_out < {field.name for field in fields(GenerateJob)}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "new.json"])
@pytest.mark.parametrize("part", ["base", "adapter"])
def test_every_file_of_a_model_changes_it(tmp_path: Path, name: str, part: str) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", str(base))
    before = key(adapter)
    (tmp_path / part / name).write_bytes(b'{"other": 1}')
    assert key(adapter) != before


def test_the_engine_and_the_form_change_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = write_model(tmp_path / "base")
    before = key(base)
    with monkeypatch.context() as changed:
        changed.setattr(entries, "FORM", entries.FORM + 1)
        assert key(base) != before
    resolved, job = job_of(str(base))
    other = reuse.find("kept", resolved, replace(job, engine="own"))
    assert other
    assert other.key != before


@pytest.mark.parametrize("named", ["words", "words/a.yaml", "{}/words/a.yaml"])
def test_a_file_that_a_setting_names_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    base, words = write_model(tmp_path / "base"), tmp_path / "words" / "a.yaml"
    named = named.format(tmp_path)
    settings: dict[str, object] = {"llamafactory": {"new_special_tokens_config": named}}
    words.parent.mkdir()
    words.write_text("a: 1")
    before = key(base, settings)
    words.write_text("a: 2")
    assert key(base, settings) != before


def test_a_setting_may_be_longer_than_any_name_of_a_file(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    one, two = ({"llamafactory": {"vllm_config": f"/{digit}" * 9_000}} for digit in "12")
    assert key(base, dict(one)) != key(base, dict(two))


def test_where_a_model_lies_and_what_is_hidden_beside_it_changes_nothing(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    before = key(base)
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(base, moved)
    (moved / ".git" / "HEAD").write_text("another ref")
    assert key(moved, cache="another place") == before
    one, two = {"infer_dtype": "float16", "rope_scaling": "linear"}, {"rope_scaling": "linear"}
    other_order = two | {"infer_dtype": "float16"}
    assert key(base, {"llamafactory": one}) == key(base, {"llamafactory": other_order})


def test_a_model_in_a_store_is_known_without_its_weights(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a launcher finds, that has fetched none, its worker has kept, that has fetched all."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    base = write_model(tmp_path / "base")
    for version in (b"one", b"two"):
        (base / "model.safetensors").write_bytes(version)
        store.publish(base, f"{bucket}/base")
        light = key(f"{bucket}/base")
        assert not list((tmp_path / "cache").rglob("*.safetensors"))
        store.cached(f"{bucket}/base")
        assert key(f"{bucket}/base") == light
        shutil.rmtree(tmp_path / "cache")
    (base / "model.safetensors").write_bytes(b"one")
    store.publish(base, f"{bucket}/base")
    assert key(f"{bucket}/base") != light


@pytest.mark.parametrize(
    ("name", "settings", "doubt"),
    [
        ("base", {"trust_remote_code": True}, "trust_remote_code runs code that may change"),
    ],
)
def test_what_may_change_under_its_name_has_none(
    tmp_path: Path, name: str, settings: dict[str, object], doubt: str
) -> None:
    entry = entry_of(str(write_model(tmp_path / name)), "kept", llamafactory=settings)
    assert entry.key == ""
    assert doubt in entry.doubt


@pytest.mark.parametrize("name", ["org/base", "adapter"])
def test_a_hub_id_without_a_commit_has_none(tmp_path: Path, name: str) -> None:
    write_adapter(tmp_path / "adapter", "org/base")
    resolved = model.resolve(name if "/" in name else str(tmp_path / name))
    job = generating.job_for(resolved, [], GenerateSettings(template="qwen3"))
    entry = reuse.find("kept", resolved, job)
    assert entry
    assert (entry.key, "org/base is a hub id without a commit" in entry.doubt) == ("", True)


@pytest.mark.parametrize("name", ["org/base", "adapter"])
def test_a_hub_id_is_known_by_the_commit_that_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_adapter(tmp_path / "adapter", "org/base")
    name = name if "/" in name else str(tmp_path / name)
    keys = []
    for commit in (COMMIT, COMMIT[::-1], COMMIT):
        monkeypatch.setattr(hub, "_found", lambda *_, now=commit: now)
        keys.append(key(name))
    assert keys[0] == keys[2] != keys[1]
    assert "" not in keys


def test_a_commit_of_the_hub_is_a_name_for_ever() -> None:
    first, second = (
        key("org/base", {"llamafactory": {"model_revision": commit}})
        for commit in (COMMIT, COMMIT[::-1])
    )
    assert first != second
    assert "" not in (first, second)


@pytest.mark.parametrize("cache", ["", "none"])
def test_without_a_cache_there_is_no_entry(tmp_path: Path, cache: str) -> None:
    assert reuse.find(cache, *job_of(str(write_model(tmp_path / "base")))) is None


@pytest.mark.parametrize("cache", ["file", "https://b/kept", "s3://b", "s3://b/../kept"])
def test_a_place_that_can_be_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(InputError, match=r"generate\.cache|names no object"):
        reuse.check(cache)
    for fine in ("", "none", "folder", "s3://b/kept", "minio://b/team/kept/"):
        reuse.check(fine)
