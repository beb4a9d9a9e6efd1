"""Models that hold what a model has to hold, in a few bytes: nothing can be asked of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAYER = "model.layers.0.self_attn.q_proj"
TENSORS: Mapping[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (4, 2),
    f"{LAYER}.weight": (2, 2),
}
LORA: Mapping[str, tuple[int, ...]] = {
    f"base_model.model.{LAYER}.lora_A.weight": (1, 2),
    f"base_model.model.{LAYER}.lora_B.weight": (2, 1),
}


def safetensors(shapes: Mapping[str, tuple[int, ...]], seed: bytes = b"\0") -> bytes:
    """Return a safetensors file of tensors with these shapes, whose numbers repeat `seed`."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + (seed * end)[:end]


def tokenizer(*words: str, added: Mapping[str, bool] | None = None) -> str:
    """Return a tokenizer.json of `words`, and of `added` ones: whether each is special."""
    tokens = [{"content": word, "special": special} for word, special in (added or {}).items()]
    vocabulary = {word: place for place, word in enumerate(words)}
    return json.dumps({"added_tokens": tokens, "model": {"vocab": vocabulary}})


def write_model(folder: Path, seed: bytes = b"\0", **config: Any) -> Path:
    """Write a whole model of four words and one layer; another `seed`, other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": 4} | config)
    )
    (folder / "tokenizer.json").write_text(tokenizer("a", "b", "c", "d"))
    (folder / "model.safetensors").write_bytes(safetensors(TENSORS, seed))
    return folder


def write_adapter(folder: Path, base: str | Path, **config: Any) -> Path:
    """Write a foreign adapter of such a model, without a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(base)} | config)
    )
    (folder / "adapter_model.safetensors").write_bytes(safetensors(LORA))
    return folder
