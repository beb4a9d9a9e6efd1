"""What must be known of a model before it is served: its context, precision, heads and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.engine.precision import precision
from assay.llamafactory.prompts import Coder
from assay.model import files

_PER_HUB_ID = 1 << 62
"""Bytes of a hub id whose weights are not here yet: as if it took every GPU."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """`context` in tokens, `heads`, `kv_heads` and the `vocabulary` are 0 where the model does not
    say one number; `dtype` is what its weights are loaded in, `bytes` how much they are."""

    context: int
    dtype: str
    heads: int
    bytes: int
    kv_heads: int = 0
    vocabulary: int = 0


def architecture(base: str, coder: Coder) -> Architecture:
    """Return what the model's configuration says, as LLaMA-Factory reads it, of the weights in
    `base`."""
    from llamafactory.model.loader import load_config

    config = load_config(coder.model).get_text_config()
    return Architecture(
        context=int(getattr(config, "max_position_embeddings", 0) or 0),
        dtype=_dtype(precision(coder.model)),
        heads=_number(config, "num_attention_heads"),
        bytes=_bytes(base),
        kv_heads=_number(config, "num_key_value_heads"),
        vocabulary=_number(config, "vocab_size"),
    )


def _number(config: Any, name: str) -> int:
    """Return a number of the configuration, 0 for none and where each layer has its own."""
    value = getattr(config, name, 0)
    return value if isinstance(value, int) else 0


def _dtype(loaded: str) -> str:
    """Return the precision that weights are loaded in, or the nearest that vLLM has."""
    return loaded if loaded in ("bfloat16", "float16", "float32") else "float32"


def _bytes(base: str) -> int:
    folder = Path(base)
    if not folder.is_dir():
        return _PER_HUB_ID
    return files.size(folder)
