"""The task that fine-tunes, on one node or as one of several."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import checkpoints, progress, run
from assay import finetune as finetuning
from assay.checkpoints import Selecting
from assay.folder import CHECKPOINTS, LOSSES, MANIFEST, TRAIN_LOG, TRAINING
from assay.records import ModelManifest
from assay.settings import build
from assay.task.handover import whole

CHOICE = "choice"  # beside the settings of the section finetune


def finetune(
    given: Mapping[str, Any], samples: Path, out: Path, record: Path, listen: progress.Listener
) -> ModelManifest:
    """Fine-tune into `out`, choose a checkpoint where the settings ask for it, and copy what is not
    weights to `record`."""
    tuning, by = given_tuning(given)
    choose = run.chooser(samples, tuning, by, listen)
    manifest = finetuning.finetune(samples / TRAINING, out, tuning, choose=choose, listen=listen)
    record.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, LOSSES, TRAIN_LOG, CHECKPOINTS):
        if (out / name).is_file():
            shutil.copy(out / name, record / name)
    return manifest


def given_tuning(
    given: Mapping[str, Any],
) -> tuple[finetuning.FinetuneSettings, Selecting | None]:
    """Return the settings that a fine-tuning task was handed, and by what it is to choose."""
    settings = whole(given)
    by = settings.pop(CHOICE, None)
    tuning = build(finetuning.FinetuneSettings, settings, "finetune")
    return tuning, checkpoints.from_plain(by) if by else None


def assist(given: Mapping[str, Any], samples: Path, out: Path, listen: progress.Listener) -> None:
    """Take part in a fine-tune of several nodes, whose first one makes the model."""
    tuning, _ = given_tuning(given)
    finetuning.assist(samples / TRAINING, out, tuning, listen=listen)
