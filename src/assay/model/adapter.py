"""What an adapter says of itself, and whether it can be loaded as it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import ModelError
from assay.model import headers
from assay.model.place import ADAPTER
from assay.settings import shown

_WEIGHTS = "adapter_model.safetensors"
_PLAIN = "LORA"
_LORA = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")


def read_config(name: str, directory: Path) -> dict[str, Any]:
    """Return the configuration of the adapter `name` in `directory`. Raises InputError."""
    config = store.read_json(directory / ADAPTER)
    if not isinstance(config, dict):
        raise ModelError(f"{name}: {ADAPTER} is no JSON object", "Restore the file")
    return config


def recorded_base(name: str, directory: Path) -> str:
    """Return the base that the adapter itself names, "" for none. Raises InputError."""
    return str(read_config(name, directory).get("base_model_name_or_path") or "")


def check(name: str, directory: Path, seed: int | None) -> None:
    """Refuse an adapter that PEFT cannot load as it was trained, or only by running what it names.

    Where training began with a part of the base, PEFT takes that part out again: it can't where it
    was drawn at random (pissa_niter_N) by no known seed, or from data (corda).
    """
    config = read_config(name, directory)
    if config.get("megatron_config"):
        module = config.get("megatron_core")
        raise ModelError(
            f"{name} names a Python module to import (megatron_core: {module})",
            f"Remove megatron_config from its {ADAPTER}: Assay evaluates without Megatron",
        )
    if config.get("peft_type", _PLAIN) == _PLAIN:
        _check_ranks(name, config)
    start = str(config.get("init_lora_weights")).lower()
    if start.startswith("corda") or (start.startswith("pissa_niter_") and seed is None):
        raise ModelError(
            f"{name} fits only the base as its training began with it (init_lora_weights: "
            f"{start}), which nothing in it can make again",
            "Name its conversion to a plain LoRA: LLaMA-Factory's pissa_convert writes it to "
            "pissa_converted",
        )


def _check_ranks(name: str, config: Mapping[str, Any]) -> None:
    pattern = config.get("rank_pattern") or {}
    ranks = [config.get("r", 8), *(pattern.values() if isinstance(pattern, Mapping) else [pattern])]
    for rank in ranks:
        if type(rank) is not int or rank < 1:
            raise ModelError(
                f"{name}: {shown(rank)} in its {ADAPTER} is no rank (r, rank_pattern)",
                "Copy the file there again, from whoever made the adapter",
            )


def is_blank(directory: Path) -> bool:
    """Return whether the weights of a LoRA change nothing of any base: each of its second factors
    is 0, as they begin. What is more than LoRA, or pickled, is taken to change something. Raises
    ModelError for a damaged file."""
    path = directory / _WEIGHTS
    if not path.is_file():
        return False
    zero = headers.zeros(path)
    kinds = {name: kind for name in zero for kind in _LORA if f".{kind}" in name}
    second = [name for name, kind in kinds.items() if kind.endswith("_B")]
    return kinds.keys() == zero.keys() and bool(second) and all(zero[name] for name in second)
