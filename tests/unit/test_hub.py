"""A model of a hub is pinned to the commit that its revision is, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay import config, generate, hub, model, plan
from assay.errors import ModelError, SettingsError
from assay.folder import CONFIG
from assay.generate import GenerateSettings
from assay.llamafactory.job import loading
from tests.model_hub import FIRST, SECOND, Files, ModelHub, serve
from tests.models import LAYER, safetensors, write_adapter, write_model

FILES: dict[str, Files] = {FIRST: {"config.json": b"{}"}, SECOND: {"config.json": b"{ }"}}


@pytest.fixture(name="at_hub")
def make_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub of two models with a branch main, one called v2, and one with a slash."""
    for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub, "_WAIT_SECONDS", 0)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    with serve({"org/base": dict(FILES), "org/tuned": dict(FILES)}) as served:
        served.at |= {"v2": SECOND, "refs/pr/5": SECOND, "master": SECOND}
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def keep(home: Path, ref: str = "main", commit: str = FIRST) -> None:
    """Keep a download as huggingface_hub does."""
    folder = home / "hub" / "models--org--base"
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / ref).write_text(commit)


@pytest.mark.parametrize(
    ("name", "loading", "pinned"),
    [
        ("org/base", {}, f"org/base@{FIRST}"),
        ("org/base", {"model_revision": "main"}, f"org/base@{FIRST}"),
        ("org/base", {"model_revision": "v2"}, f"org/base@{SECOND}"),
        ("org/base", {"model_revision": "refs/pr/5"}, f"org/base@{SECOND}"),
        ("org/base@v2", {}, f"org/base@{SECOND}"),
        ("org/base@v2", {"model_revision": "main"}, f"org/base@{SECOND}"),
        ("org/base@refs/pr/5", {}, f"org/base@{SECOND}"),
    ],
)
def test_a_revision_is_the_commit_that_it_is_now(
    at_hub: ModelHub, name: str, loading: dict[str, str], pinned: str
) -> None:
    assert hub.pinned(name, loading) == pinned
    assert hub.commit(pinned) == pinned.partition("@")[2]
    assert hub.pinned(pinned, loading) == pinned
    assert len(at_hub.asked) == 1


@pytest.mark.parametrize(
    ("name", "loading"),
    [
        ("", {}),
        ("none", {}),
        ("/models/base", {}),
        ("./base", {}),
        ("a/b/c", {}),
        ("s3://bucket/base@v2", {}),
        (f"org/base@{SECOND}", {"model_revision": "main"}),
    ],
)
def test_what_is_no_hub_id_or_pinned_is_not_asked_for(
    at_hub: ModelHub, name: str, loading: dict[str, str]
) -> None:
    assert hub.pinned(name, loading) == name
    assert hub.pinned("org/base", {"model_revision": SECOND}) == f"org/base@{SECOND}"
    assert at_hub.asked == []


@pytest.mark.parametrize("folder", ["org/base", "org/base@v2"])
def test_a_folder_here_is_no_hub_id(
    at_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir(parents=True)
    assert hub.pinned(folder, {}) == folder
    assert hub.split(folder) == (folder, "")
    assert at_hub.asked == []


@pytest.mark.parametrize("how", ["offline", "failing", "away"])
def test_a_hub_that_cannot_be_asked_leaves_what_was_downloaded(
    at_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    at_hub.at["main"] = SECOND
    if how == "offline":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    elif how == "failing":
        at_hub.failing = 503
    else:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ModelError, match=r"which commit org/base is at main.*name the commit: org/"
    ):
        hub.pinned("org/base", {})
    keep(tmp_path / "home")
    assert hub.pinned("org/base", {}) == f"org/base@{FIRST}"
    assert hub.pinned("org/base", {"model_revision": SECOND}) == f"org/base@{SECOND}"
    with pytest.raises(ModelError, match="at v9"):
        hub.pinned("org/base@v9", {})
    keep(tmp_path / "other", "v9", SECOND)
    there = {"cache_dir": str(tmp_path / "other" / "hub")}
    assert hub.pinned("org/base@v9", there) == f"org/base@{SECOND}"
    if how == "offline":
        assert at_hub.asked == []


def test_a_moved_branch_is_not_what_was_downloaded(at_hub: ModelHub, tmp_path: Path) -> None:
    keep(tmp_path / "home")
    at_hub.at["main"] = SECOND
    assert hub.pinned("org/base", {}) == f"org/base@{SECOND}"


@pytest.mark.parametrize("name", ["org/none", "org/base@none"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_model_that_the_hub_does_not_have_is_refused(
    at_hub: ModelHub, tmp_path: Path, name: str, status: int
) -> None:
    keep(tmp_path / "home", "none")
    at_hub.failing = status
    with pytest.raises(ModelError, match=rf"no model org/\w+ at \w+.*{status}.*HF_TOKEN"):
        hub.pinned(name, {})


@pytest.mark.parametrize("sha", ["", "main", 7, None])
def test_an_answer_without_a_commit_is_none(
    at_hub: ModelHub, monkeypatch: pytest.MonkeyPatch, sha: object
) -> None:
    monkeypatch.setattr(hub, "_asked", lambda *_: {"sha": sha})
    with pytest.raises(ModelError, match="names no commit"):
        hub.pinned("org/base", {})


def test_a_token_is_sent_to_the_hub_alone(
    at_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("kept\n")
    hub.pinned("org/base", {})
    monkeypatch.setenv("HF_TOKEN", "given")
    hub.pinned("org/base", {})
    monkeypatch.setenv("USE_MODELSCOPE_HUB", "1")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", at_hub.url)
    hub.pinned("org/base", {})
    assert at_hub.tokens == ["Bearer kept", "Bearer given", ""]


@pytest.mark.parametrize("revision", ["main", "v2"])
def test_modelscope_is_asked_where_llamafactory_would_load_from_it(
    at_hub: ModelHub, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    """Its main branch is called master there."""
    monkeypatch.setenv("USE_MODELSCOPE_HUB", "true")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", at_hub.url)
    assert hub.pinned("org/base", {"model_revision": revision}) == f"org/base@{SECOND}"
    assert at_hub.asked == ["/api/v1/models/org/base/repo/files"]
    at_hub.files["org/base"] = {FIRST: {}, "": {}}
    at_hub.at[revision] = at_hub.at["master"] = FIRST
    assert hub.pinned("org/base", {"model_revision": revision}) == f"org/base@{FIRST}"


def values(tmp_path: Path, **change: Any) -> dict[str, Any]:
    return {
        "dataset": {"train": "train.json", "eval": "eval.json"},
        "mode": "auto",
        "generate": {"template": "qwen3"},
        **change,
    }


TUNING = {"base_model": "org/base", "template": "qwen3"}


@pytest.mark.parametrize(
    ("change", "candidate", "baseline"),
    [
        ({"finetune": TUNING}, "", FIRST),
        ({"finetune": {**TUNING, "llamafactory": {"model_revision": "v2"}}}, "", SECOND),
        ({"model": "org/tuned", "baseline": "org/base"}, FIRST, FIRST),
        ({"model": "org/tuned@v2", "baseline": "org/base"}, SECOND, FIRST),
        (
            {
                "model": "org/tuned",
                "baseline": "org/base",
                "generate": {"template": "qwen3", "llamafactory": {"model_revision": "v2"}},
            },
            SECOND,
            SECOND,
        ),
    ],
)
def test_both_sides_are_pinned_when_a_run_is_planned(
    at_hub: ModelHub, tmp_path: Path, change: dict[str, Any], candidate: str, baseline: str
) -> None:
    made = plan.make(config.parse(values(tmp_path, **change)))
    asked = [made.baseline, *([made.candidate] if candidate else [])]
    for name, commit in zip(asked, [baseline, candidate], strict=False):
        resolved, job = generate.asked(str(name), no_samples(tmp_path), made.generate, "")
        assert (resolved.digest, job.digest, hub.commit(job.base_name)) == (commit,) * 3
        told = loading(job)
        assert told["model_name_or_path"] == str(name).partition("@")[0]
        assert told["model_revision"] == commit
    if made.finetune:
        assert made.finetune.base_model == made.baseline


def no_samples(tmp_path: Path) -> Path:
    path = tmp_path / "samples.jsonl"
    path.write_text("")
    return path


def test_a_run_stays_with_the_commits_that_it_began_with(at_hub: ModelHub, tmp_path: Path) -> None:
    asked = config.parse(values(tmp_path, finetune=TUNING))
    begun = tmp_path / CONFIG
    config.save(plan.make(asked).config, begun)
    at_hub.at["main"] = SECOND
    requests = len(at_hub.asked)
    assert plan.make(plan.pinned(asked, begun)).baseline == f"org/base@{FIRST}"
    assert len(at_hub.asked) == requests
    other = config.parse(values(tmp_path, finetune={**TUNING, "base_model": "org/base@v2"}))
    with pytest.raises(SettingsError, match=r"another finetune\.base_model"):
        plan.pinned(other, begun)
    same = config.parse(values(tmp_path, finetune={**TUNING, "base_model": f"org/base@{FIRST}"}))
    assert plan.pinned(same, begun) == plan.pinned(asked, begun)


def test_the_base_that_an_adapter_names_is_pinned_once(at_hub: ModelHub, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", "org/base")
    asked = config.parse(values(tmp_path, model=str(adapter)))
    made = plan.make(asked)
    assert (made.base_model, made.baseline) == (f"org/base@{FIRST}",) * 2
    config.save(made.config, tmp_path / CONFIG)
    at_hub.at["main"] = SECOND
    again = plan.make(plan.pinned(asked, tmp_path / CONFIG))
    assert (again.base_model, again.baseline) == (f"org/base@{FIRST}",) * 2
    resolved, job = generate.asked(
        str(adapter), no_samples(tmp_path), again.generate, again.base_model
    )
    assert resolved.base == "org/base"
    assert loading(job)["model_revision"] == FIRST
    assert resolved.digest not in ("", FIRST)


def test_code_of_a_revision_that_a_folder_chooses_is_not_run(
    at_hub: ModelHub, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter", "org/base@refs/pr/5")
    trusting = {"template": "qwen3", "llamafactory": {"trust_remote_code": True}}
    asked = values(tmp_path, model=str(adapter), generate=trusting)
    with pytest.raises(ModelError, match="set base_model: org/base@refs/pr/5"):
        plan.make(config.parse(asked))
    made = plan.make(config.parse({**asked, "base_model": "org/base@refs/pr/5"}))
    assert made.base_model == f"org/base@{SECOND}"
    del trusting["llamafactory"]
    assert plan.make(config.parse(asked)).base_model == f"org/base@{SECOND}"


def test_a_copy_of_a_commit_is_a_base_where_the_layers_fit(
    at_hub: ModelHub, tmp_path: Path
) -> None:
    """What a commit holds, no folder says; another commit is another model."""
    copy = write_model(tmp_path / "copy")
    adapter = write_adapter(tmp_path / "adapter", "org/base")
    manifest(adapter, f"org/base@{FIRST}")
    assert model.resolve(str(adapter), str(copy)).base == str(copy)
    assert model.resolve(str(adapter)).base_name == f"org/base@{FIRST}"
    with pytest.raises(ModelError, match=f"not org/base@{SECOND}"):
        model.resolve(str(adapter), f"org/base@{SECOND}")
    other = write_model(tmp_path / "other")
    (other / "model.safetensors").write_bytes(safetensors({f"{LAYER}.weight": (3, 3)}))
    with pytest.raises(ModelError, match="does not fit"):
        model.resolve(str(adapter), str(other))


def manifest(folder: Path, base: str) -> None:
    from assay import store
    from assay.folder import MANIFEST
    from assay.records import ModelManifest

    store.write_json(
        folder / MANIFEST,
        ModelManifest(
            base_model=base,
            base_digest=hub.commit(base),
            finetuning_type="lora",
            template="qwen3",
            digest=store.digest_weights(folder),
            dataset_hash="",
            samples=1,
            settings={},
            versions={},
        ),
    )


def test_whoever_asks_without_a_plan_is_pinned_too(at_hub: ModelHub, tmp_path: Path) -> None:
    settings = GenerateSettings(template="qwen3", llamafactory={"model_revision": "v2"})
    resolved, job = generate.asked("org/base", no_samples(tmp_path), settings, "")
    assert resolved.name == f"org/base@{SECOND}"
    assert job.settings["llamafactory"] == {"model_revision": SECOND}
