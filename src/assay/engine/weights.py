"""Whether a model's weight files are whole, by what they say of themselves, without a load, and
whether they are those that were asked for."""

from __future__ import annotations

import json
from pathlib import Path

from assay.errors import ModelError, StageError
from assay.llamafactory.job import GenerateJob
from assay.model import headers, several

_REMEDY = "Copy or download the model again"


def check(folder: str) -> None:
    """Raise ModelError for a model folder in which a safetensors file is cut off or damaged, or one
    that its index names is missing; anything else than a folder is left to who loads it."""
    directory = Path(folder)
    for index in sorted(directory.glob("*.index.json")):
        _check_index(index)
    for path in sorted(directory.glob("*.safetensors")):
        headers.tensors(path)


def prove(job: GenerateJob) -> None:
    """Raise StageError unless the weights that make the model what it is, the adapters' or else the
    base's, are those that the job's digest is of; of a hub id nothing is known."""
    folders = job.adapters or (job.base,)
    if job.digest and job.digest != (digest := several.digest(folders)):
        raise StageError(
            f"{several.joined(folders)}: its weights ({digest[:12] or 'none'}) are no longer those "
            f"that this run began with ({job.digest[:12]})",
            "Restore them, or begin the run anew",
        )


def _check_index(index: Path) -> None:
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index} is no index of weight files", _REMEDY) from None
    missing = sorted(name for name in named if not (index.parent / name).is_file())
    if missing:
        raise ModelError(
            f"{index} names {len(named)} files of weights, of which {len(missing)} are missing, "
            f"such as {missing[0]}",
            _REMEDY,
        )
