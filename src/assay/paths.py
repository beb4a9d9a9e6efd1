"""The paths in a configuration's file, which may be relative to the folder that it lies in."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from assay import settings
from assay.errors import SettingsError
from assay.given import SHORT
from assay.model import apart, joined
from assay.records import SIDES

MODELS = ("model", "baseline")  # which may each be behind an endpoint, or a file of answers
_PLACES = (
    *(("", "base_model"), ("finetune", "base_model"), ("dataset", "train"), ("dataset", "eval")),
    *(("judge", name) for name in ("rubric", "anchors", "calibration", "ca_file")),
    *((name, "ca_file") for name in MODELS),
    ("metrics.task", "encoder"),
    *(("", SHORT), *((SHORT, side) for side in SIDES), *((name, SHORT) for name in MODELS)),
)


def resolved(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the `values` of a configuration in `folder` with each path in them that is there, or
    else here, as an absolute one."""
    for section, name in _PLACES:
        holder: Any = values
        for part in section.split(".") if section else ():
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(name), str) and holder[name]:
            holder[name] = _resolved(holder[name], folder)
    for name in MODELS:
        if name in values:
            values[name] = _resolved_model(values[name], folder)
    history = values.get("history")
    if isinstance(history, str) and history and "://" not in history:
        there = _there(history, folder)
        # where there is none, the first run makes it
        values["history"] = str(there.resolve() if there else folder.resolve() / history)
    return values


def _there(path: str, folder: Path) -> Path | None:
    """Return what is called so in `folder`, or else here; None where nothing is, or can be. Raises
    SettingsError for a name that is too long for one."""
    for base in (folder, Path()):
        try:
            (base / path).stat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG and "://" not in path:
                told = f"{settings.shown(path)} is too long for the name of a file"
                raise SettingsError(told, "Correct it") from None
        except ValueError:  # what is told where it is used
            return None
        else:
            return base / path
    return None


def _resolved_model(model: Any, folder: Path) -> Any:
    """Return a model with its path resolved, and of several adapters each one's."""
    if isinstance(model, list):
        return [_resolved_model(part, folder) for part in model]
    if not isinstance(model, str) or not model:
        return model
    whole = _resolved(model, folder)
    parts = apart(model)
    return joined([_resolved(part.strip(), folder) for part in parts]) if whole == model else whole


def _resolved(value: str, folder: Path) -> str:
    path, hash_sign, entry = value.partition("#")
    there = _there(path, folder)
    return f"{there.resolve()}{hash_sign}{entry}" if there else value
