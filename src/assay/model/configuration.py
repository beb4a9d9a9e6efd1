"""What a model's folder says beside its weights that changes what it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from assay import store
from assay.errors import InputError, ModelError
from assay.model.place import ADAPTER, CONFIG, is_folder
from assay.text import some

FILES = (
    CONFIG,
    ADAPTER,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
_OF_PLACE = ("base_model_name_or_path", "_name_or_path")  # where a base lies, which may change


def configuration(folder: Path) -> dict[str, str]:
    """Return the sha256 of each of the `FILES` in a model's folder, but for what they say of where
    its base lies."""
    paths = [folder / name for name in FILES if (folder / name).is_file()]
    return {path.name: hashlib.sha256(_content(path)).hexdigest() for path in paths}


def config_digest(names: Iterable[str]) -> str:
    """Return the sha256 over the `configuration` of the models `names` in their order; "" where
    none is a folder with such files."""
    folders = [configuration(Path(name)) if is_folder(name) else {} for name in names]
    known = json.dumps(folders, sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest() if any(folders) else ""


def check_configuration(name: str, folder: Path, known: Mapping[str, str]) -> None:
    """Raise ModelError where the model `name` in a `folder` has not the `known` configuration, of
    which none may have been kept."""
    now = configuration(folder)
    changed = [file for file in FILES if known and known.get(file) != now.get(file)]
    if changed:
        raise ModelError(
            f"{name}: {some(changed)} is not what the fine-tune wrote",
            "Restore it; a copy of the folder without manifest.json is evaluated as it is",
        )


def _content(path: Path) -> bytes:
    try:
        values = store.read_json(path) if path.name in (CONFIG, ADAPTER) else None
    except InputError:  # the check of the model's files says so
        values = None
    if not isinstance(values, dict):
        return path.read_bytes()
    kept = {name: value for name, value in values.items() if name not in _OF_PLACE}
    return json.dumps(kept, sort_keys=True).encode()
