"""Weights that a model's files do not hold, though its index or the weights beside them say so.

Who loads such a model draws what is missing at random, or leaves it out, and answers all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from assay.errors import ModelError
from assay.model import headers
from assay.text import some

_PAIR = (".lora_A.", ".lora_B.")


def check_index(name: str, folder: Path, index: Mapping[str, str]) -> None:
    """Raise ModelError where a file of `folder` that is here lacks a tensor that the `index` of the
    model `name` says it has, or is damaged."""
    here = {file for file in index.values() if (folder / file).is_file()}
    held = {file: headers.tensors(folder / file).keys() for file in sorted(here)}
    _refuse(name, (key for key, file in index.items() if file in held and key not in held[file]))


def check_pairs(name: str, path: Path) -> None:
    """Raise ModelError where the file of an adapter has one of two factors without the other."""
    held = headers.tensors(path).keys()
    others = (key.replace(a, b) for a, b in (_PAIR, _PAIR[::-1]) for key in held if a in key)
    _refuse(name, (key for key in others if key not in held))


def _refuse(name: str, missing: Iterable[str]) -> None:
    found = sorted(missing)
    if found:
        raise ModelError(
            f"{name} lacks weights: {some(found)}",
            "Copy its files there again, whole: with part of its weights it is another model",
        )
