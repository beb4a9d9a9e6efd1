"""A fine-tune that is killed while it ends is taken up: nothing is trained twice, nothing refused.

What trains stands in for LLaMA-Factory, and refuses what that refuses (hparams/parser.py); the real
one is in end_to_end/.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import finetune as finetuning
from assay import llamafactory, model, resume, store, trained
from assay.errors import SettingsError
from assay.finetune import FinetuneSettings, finetune
from assay.folder import MANIFEST, TRAIN_LOG
from assay.records import Message, ModelManifest, Sample
from tests.models import LORA, safetensors, write_model

WEIGHTS = "adapter_model.safetensors"
LEFT = (WEIGHTS, "adapter_model.bin", "model.safetensors.index.json", "pytorch_model.bin")
FILES = ("optimizer.pt", WEIGHTS, "trainer_state.json")


class KilledError(BaseException):
    """The process ends here."""


class Training:
    """LLaMA-Factory's training: `begun` says of each whether it had a checkpoint to go on from."""

    def __init__(self) -> None:
        self.begun: list[bool] = []

    def __call__(self, work: Path, *_: object) -> None:
        trained = work / "trained"
        checkpoint = trained / "checkpoint-4"
        if not checkpoint.exists() and any((trained / name).exists() for name in LEFT):
            raise AssertionError("Output directory already exists and is not empty")
        if checkpoint.exists():
            assert all((checkpoint / name).is_file() for name in FILES)
        self.begun.append(checkpoint.exists())
        checkpoint.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (checkpoint / name).write_bytes(safetensors(LORA, b"\4"))
        (work / TRAIN_LOG).touch()
        (trained / WEIGHTS).write_bytes(safetensors(LORA))


@pytest.fixture(name="training")
def make_training(monkeypatch: pytest.MonkeyPatch) -> Training:
    training = Training()
    monkeypatch.setattr(finetuning, "_train", training)
    monkeypatch.setattr(llamafactory, "versions", dict)
    return training


@pytest.fixture(name="tune")
def make_tune(tmp_path: Path) -> Callable[..., ModelManifest]:
    base = write_model(tmp_path / "base")
    samples = tmp_path / "train.jsonl"
    turn = Message(role="user", content="Hi.")
    store.write_rows(samples, [Sample(id="1", messages=(turn,), target="Ho.")])
    settings = FinetuneSettings(base_model=str(base), template="qwen3")
    return lambda **more: finetune(samples, tmp_path / "model", replace(settings, **more))


def die_in_the_middle(folder: Path, **_: object) -> None:
    """Remove a file of a folder, and no more."""
    next(folder.glob("optimizer.pt")).unlink()
    raise KilledError


def die(*_: object, **__: object) -> None:
    raise KilledError


def die_when_written(path: Path, value: Any) -> None:
    if path.name == MANIFEST:
        raise KilledError
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.to_json(value))


@pytest.mark.parametrize(
    ("where", "name", "killed"),
    [
        (store, "write_json", die_when_written),
        (shutil, "rmtree", die),
        (shutil, "rmtree", die_in_the_middle),
        (Path, "rename", die),
        (Path, "rmdir", die),
    ],
    ids=["before its manifest", "before", "within", "before the log", "before the name"],
)
def test_a_kill_while_it_ends_costs_no_training(
    where: Any,
    name: str,
    killed: Any,
    training: Training,
    tune: Callable[[], ModelManifest],
    tmp_path: Path,
) -> None:
    (tmp_path / "model").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(where, name, killed)
        with pytest.raises(KilledError):
            tune()
    made = tune()
    assert training.begun == [False]
    assert model.read_manifest(tmp_path / "model") == made
    assert made.digest == store.digest_weights(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == sorted(
        [WEIGHTS, MANIFEST, TRAIN_LOG]
    )
    assert not (tmp_path / "model.partial").exists()


@pytest.mark.parametrize("left", LEFT)
def test_weights_without_a_checkpoint_are_trained_anew(
    left: str, training: Training, tune: Callable[[], ModelManifest], tmp_path: Path
) -> None:
    """As a kill leaves them that comes while they are written, where none were saved before."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finetuning, "_train", die)
        with pytest.raises(KilledError):
            tune()
    trained = tmp_path / "model.partial" / "trained"
    trained.mkdir()
    (trained / left).write_bytes(b"half")
    (trained / "trainer_log.jsonl").write_text("{}\n")
    assert tune().digest == store.digest_weights(tmp_path / "model")
    assert training.begun == [False]
    assert (tmp_path / "model" / "trainer_log.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize(
    ("ends", "held"), [("_describe", "a finished training"), ("_train", "1 checkpoints")]
)
def test_a_training_is_not_dropped_for_other_settings(
    ends: str, held: str, training: Training, tune: Callable[..., ModelManifest]
) -> None:
    def killed(*given: Any) -> None:
        training(*given)
        raise KilledError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finetuning, ends, killed if ends == "_train" else die)
        with pytest.raises(KilledError):
            tune()
    told = f"model.partial holds {held} of another finetune.learning_rate: 0.0001, not 0.1"
    with pytest.raises(SettingsError, match=told):
        tune(learning_rate=0.1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finetuning, "_hand_over", die)
        with pytest.raises(KilledError):
            tune()
    assert training.begun == ([False] if ends == "_describe" else [False, True])
    with resume.anew():
        assert tune(learning_rate=0.1).settings["learning_rate"] == 0.1
    assert training.begun[-1] is False


@pytest.mark.usefixtures("training")
def test_a_model_is_not_taken_for_one_of_other_settings(
    tune: Callable[..., ModelManifest], tmp_path: Path
) -> None:
    made = tune()
    with pytest.raises(SettingsError, match=r"another finetune\.learning_rate: 0\.0001, not 0\.1"):
        tune(learning_rate=0.1)
    # an earlier version had no such setting, and trained as its default says
    earlier = {name: value for name, value in made.settings.items() if name != "checkpoints"}
    store.write_json(tmp_path / "model" / MANIFEST, replace(made, settings=earlier))
    assert tune().digest == made.digest
    with pytest.raises(SettingsError, match=r"another finetune\.checkpoints: 'last', not 'all'"):
        tune(checkpoints="all")


@pytest.mark.parametrize(
    ("asked", "same"),
    [("org/base", True), ("org/other", False), (f"org/base@{'b' * 40}", False)],
)
def test_a_model_on_a_pinned_base_is_that_of_its_name(
    asked: str,
    *,
    same: bool,
    tmp_path: Path,
    tune: Callable[..., ModelManifest],
    training: Training,
) -> None:
    made, pinned = tune(), f"org/base@{'a' * 40}"
    assert training.begun == [False]
    made = replace(made, base_model=pinned, settings={**made.settings, "base_model": pinned})
    wanted = {**made.settings, "base_model": asked}
    with nullcontext() if same else pytest.raises(SettingsError, match="of another"):
        trained.check_same(tmp_path / "model", made, wanted, FinetuneSettings)
