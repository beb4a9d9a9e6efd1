"""What a training leaves: its checkpoints, which of their files are the model, and how many."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import hub
from assay.errors import SettingsError
from assay.records import ModelManifest
from assay.settings import first_difference, with_defaults

STATE = "trainer_state.json"
EVENLY = 0.2  # of all steps: what lies between checkpoints where nothing else is set
_CHECKPOINTS = "checkpoint-*"
# what only training needs, by far the most of a checkpoint
_RESUMING = ("optimizer*", "scheduler*", "rng_state*", "scaler*", "global_step*", "*_fsdp_0")
_NO_MODEL = (*_RESUMING, STATE, "training_args.bin", "latest", "zero_to_fp32.py")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How many optimizer `steps` a training has, and how many `checkpoints` it writes."""

    steps: int
    checkpoints: int


def check_same(out: Path, made: ModelManifest, wanted: Mapping[str, Any], kind: type) -> None:
    """Raise SettingsError where the model in `out` was made with other settings, of that `kind`,
    than are `wanted`."""
    earlier = with_defaults(kind, made.settings)
    base = wanted["base_model"]
    if hub.commit(made.base_model) and not hub.commit(base):
        base = f"{hub.split(base)[0]}@{hub.commit(made.base_model)}"  # it was pinned then
    plain = {**json.loads(json.dumps(wanted)), "base_model": base}
    if other := first_difference({"finetune": earlier}, {"finetune": plain}):
        raise SettingsError(
            f"{out} holds the model of another {other}", "Set it back, or begin another run"
        )


def checkpoints(trained: Path) -> dict[int, Path]:
    """Return the whole checkpoints in the folder of a training that a model can be loaded from, by
    their step, the first one first."""
    whole = [path for path in trained.glob(_CHECKPOINTS) if (path / STATE).is_file()]
    return {
        step: path
        for path in sorted(whole, key=lambda path: _step(path.name))
        if (step := _step(path.name)) and any(_matching(path, _WEIGHTS))
    }


def lighten(trained: Path, *, newest_too: bool = False) -> None:
    """Remove what training is resumed with from all whole checkpoints but the newest one, and with
    `newest_too` from that."""
    whole = list(checkpoints(trained).values())
    for folder in whole if newest_too else whole[:-1]:
        _remove(folder, _RESUMING)


def take(checkpoint: Path, trained: Path) -> None:
    """Have the model in the folder `trained` be that of a checkpoint."""
    _remove(trained, (*_WEIGHTS, "*.index.json"))
    for path in checkpoint.iterdir():
        if path.is_file() and not any(path.match(pattern) for pattern in _NO_MODEL):
            shutil.copy2(path, trained / path.name)


def drop_conversion(trained: Path) -> None:
    """Remove what LLaMA-Factory's pissa_convert made: of a training that was resumed it takes the
    checkpoint for the beginning, so its plain LoRA has only what was learned since."""
    for name in ("pissa_init", "pissa_converted"):
        shutil.rmtree(trained / name, ignore_errors=True)


def put_away(trained: Path, place: Path | None) -> None:
    """Move the checkpoints, without what only training needs, from a training's folder to `place`;
    None: remove them."""
    for folder in trained.glob(_CHECKPOINTS):
        if place is None:
            shutil.rmtree(folder)
            continue
        _remove(folder, _NO_MODEL)
        place.mkdir(exist_ok=True)
        folder.rename(place / folder.name)


def schedule(
    settings: Mapping[str, Any], *, samples: int, batch_size: int, epochs: float, devices: int = 1
) -> TrainingPlan:
    """Return how long a training of so many `samples` is and what it keeps, as transformers'
    Trainer counts; `settings` are LLaMA-Factory's.

    Raises SettingsError for a setting that is no number.
    """
    batches = math.ceil(samples / (batch_size * devices))
    a_step = max(1, int(_number(settings, "gradient_accumulation_steps", 1)))
    an_epoch = max(1, math.ceil(batches / a_step))
    most = int(_number(settings, "max_steps", 0))
    steps = most if most > 0 else math.ceil(epochs * an_epoch)
    return TrainingPlan(steps=steps, checkpoints=_saved(settings, steps, an_epoch))


def _saved(settings: Mapping[str, Any], steps: int, an_epoch: int) -> int:
    strategy = str(settings.get("save_strategy", "steps"))
    if strategy == "epoch":
        return math.ceil(steps / an_epoch)
    if strategy != "steps":
        return 1  # the end alone
    every = _number(settings, "save_steps", EVENLY)
    return math.ceil(steps / max(1, math.ceil(steps * every) if every < 1 else int(every)))


def _number(settings: Mapping[str, Any], name: str, usual: float) -> float:
    try:
        return float(settings.get(name, usual))
    except (TypeError, ValueError):
        raise SettingsError(
            f"finetune.llamafactory.{name} = {settings[name]!r} is no number", "Correct it"
        ) from None


def _step(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    return (path for pattern in patterns for path in folder.glob(pattern))


def _remove(folder: Path, patterns: tuple[str, ...]) -> None:
    for path in list(_matching(folder, patterns)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
