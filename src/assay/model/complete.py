"""Weights that a model's files do not hold, though its index or the weights beside them say so, and
layers that they hold beyond those of its configuration.

Who loads such a model draws what is missing at random, or leaves it out, and answers all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay.errors import ModelError
from assay.model import headers
from assay.text import some

_PAIR = (".lora_A.", ".lora_B.")
# of the models that count their layers in num_hidden_layers, as most do
_LAYER = re.compile(r"model\.(?:language_model\.)?layers\.(\d+)\.")
GUESSING = ("num_nextn_predict_layers", "num_mtp_layers", "mtp_num_hidden_layers")
"""Settings of how many layers after the last guess words ahead, which answer nothing here."""


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


def check_depth(name: str, config: Mapping[str, Any], held: Iterable[str]) -> None:
    """Raise ModelError where the weights `held` are of more layers than a model's configuration
    says: what is beyond would be left out."""
    inner = config.get("text_config")
    own = inner if isinstance(inner, Mapping) else config
    depth, more = own.get("num_hidden_layers"), [own.get(each) or 0 for each in GUESSING]
    if not isinstance(depth, int) or not all(isinstance(count, int) for count in more):
        return
    numbers = [int(match[1]) for key in held if (match := _LAYER.match(key))]
    if numbers and max(numbers) >= depth + max(more):
        raise ModelError(
            f"{name} has weights of {max(numbers) + 1} layers, and num_hidden_layers in its "
            f"config.json is {depth}",
            "Copy the config.json there again that belongs to these weights",
        )


def _refuse(name: str, missing: Iterable[str]) -> None:
    found = sorted(missing)
    if found:
        raise ModelError(
            f"{name} lacks weights: {some(found)}",
            "Copy its files there again, whole: with part of its weights it is another model",
        )
