"""How many checkpoints a training leaves, and what leaves no choice among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay import trained
from assay.checkpoints import check_room, check_schedule
from assay.errors import SettingsError
from assay.finetune import Checkpoints, FinetuneSettings


def tuning(
    checkpoints: Checkpoints = "best", llamafactory: dict[str, Any] | None = None, **more: Any
) -> FinetuneSettings:
    return FinetuneSettings(
        base_model="org/base",
        template="qwen3",
        checkpoints=checkpoints,
        llamafactory=llamafactory or {},
        **more,
    )


@pytest.mark.parametrize(
    ("settings", "samples", "devices", "steps", "checkpoints"),
    [
        ({}, 80, 1, 30, 5),  # every fifth of 3 epochs of 10 steps
        ({}, 81, 1, 33, 5),  # ceil(33 / ceil(6.6)): 7, 14, 21, 28, 33
        ({"save_steps": 10}, 80, 1, 30, 3),
        ({"save_steps": 7}, 80, 1, 30, 5),  # the last step is kept, too
        ({"save_steps": 0.5}, 80, 1, 30, 2),
        ({"save_strategy": "epoch"}, 80, 1, 30, 3),
        ({"max_steps": 25, "save_steps": 10}, 80, 1, 25, 3),
        ({"max_steps": 25, "save_strategy": "epoch"}, 80, 1, 25, 3),
        ({"gradient_accumulation_steps": 5, "save_steps": 2}, 80, 1, 6, 3),
        ({"save_steps": 4}, 80, 5, 6, 2),  # five devices take five batches a step
    ],
)
def test_steps_and_checkpoints_are_counted_as_the_trainer_does(
    settings: dict[str, Any], samples: int, devices: int, steps: int, checkpoints: int
) -> None:
    planned = check_schedule(tuning(llamafactory=settings), samples, devices)
    assert planned == trained.TrainingPlan(steps=steps, checkpoints=checkpoints)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"save_steps": 500}, r"llamafactory\.save_steps = 500 leaves one checkpoint .* 30 steps"),
        ({"save_steps": 30}, r"save_steps = 30 leaves one"),
        ({"save_strategy": "no"}, r"save_strategy = no leaves one"),
        ({"save_strategy": "best"}, r"save_strategy = best leaves one"),
        ({"save_strategy": "epoch", "max_steps": 4}, r"save_strategy = epoch leaves one"),
        (
            {"save_strategy": "epoch", "save_steps": 1, "max_steps": 4},
            r"save_strategy = epoch leaves one .* \(with save_strategy: steps\)",
        ),
        ({"max_steps": 1}, r"save_steps leaves one checkpoint of a training of 1 steps"),
        ({"save_total_limit": 3}, r"save_total_limit = 3 would remove checkpoints"),
        ({"save_steps": "often"}, r"save_steps = 'often' is no number"),
    ],
)
@pytest.mark.parametrize("checkpoints", ["best", "all"])
def test_a_training_that_leaves_no_choice_is_refused(
    checkpoints: Checkpoints, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check_schedule(tuning(checkpoints, settings), 80)


@pytest.mark.parametrize("settings", [{"save_steps": 500}, {"save_total_limit": 3}])
def test_the_last_one_needs_no_choice(settings: dict[str, Any]) -> None:
    assert check_schedule(tuning("last", settings), 80) is None


def test_what_the_samples_are_packed_into_is_not_known_before() -> None:
    assert check_schedule(tuning(llamafactory={"packing": True, "save_steps": 500}), 80) is None


def test_whole_models_that_do_not_fit_on_the_disk_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(bytes(1000))
    usage = type("Usage", (), {"free": 5500})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    own: dict[str, Any] = {
        "base_model": str(base),
        "template": "qwen3",
        "checkpoints": "best",
    }
    whole = FinetuneSettings(finetuning_type="full", **own)
    check_room(whole, 4, tmp_path / "not" / "there")
    with pytest.raises(SettingsError, match=r"the model and 5 checkpoints of it are .* GB free"):
        check_room(whole, 5, tmp_path)
    check_room(FinetuneSettings(**own), 5, tmp_path)  # adapters are small


def checkpoint(folder: Path, step: int, *, whole: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in (
        "adapter_model.safetensors",
        "adapter_config.json",
        "optimizer.pt",
        "rng_state.pth",
    ):
        (path / name).write_text(f"{name} of {step}")
    if whole:
        (path / trained.STATE).write_text(json.dumps({"global_step": step}))
    return path


def test_only_whole_checkpoints_count_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (100, 20, 3):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 200, whole=False)
    (checkpoint(tmp_path, 50) / "adapter_model.safetensors").unlink()
    assert list(trained.checkpoints(tmp_path)) == [3, 20, 100]


def test_what_resumes_training_is_kept_of_the_newest_alone(tmp_path: Path) -> None:
    first, last = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    trained.lighten(tmp_path)
    assert not (first / "optimizer.pt").exists()
    assert (first / trained.STATE).exists(), "it is whole, still"
    assert (last / "optimizer.pt").exists()
    trained.lighten(tmp_path, newest_too=True)
    assert list(trained.checkpoints(tmp_path)) == [9, 10]
    assert not (last / "optimizer.pt").exists()


def test_the_chosen_weights_take_the_place_of_the_last(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").write_text("of the end")
    (tmp_path / "model-00001-of-00002.safetensors").write_text("a part more than the other has")
    (tmp_path / "trainer_log.jsonl").write_text("{}")
    trained.take(checkpoint(tmp_path, 20), tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"adapter_model.safetensors", "adapter_config.json", "trainer_log.jsonl"}
    assert (tmp_path / "adapter_model.safetensors").read_text() == "adapter_model.safetensors of 20"


@pytest.mark.parametrize("kept", [True, False])
def test_the_others_are_kept_as_models_or_removed(tmp_path: Path, kept: bool) -> None:
    checkpoint(tmp_path, 20)
    checkpoint(tmp_path, 30, whole=False)
    trained.put_away(tmp_path, tmp_path / "checkpoints" if kept else None)
    assert not list(tmp_path.glob("checkpoint-*"))
    left = sorted(path.name for path in (tmp_path / "checkpoints").glob("checkpoint-20/*"))
    assert left == (["adapter_config.json", "adapter_model.safetensors"] if kept else [])
