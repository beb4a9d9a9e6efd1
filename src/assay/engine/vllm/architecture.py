"""What must be known of a model before it is served: its context, precision, heads and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.engine.precision import precision
from assay.llamafactory.prompts import Coder

_PER_HUB_ID = 1 << 62
"""Bytes of a hub id whose weights are not here yet: as if it took every GPU."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """`context` in tokens and `heads` are 0 where the model does not say; `dtype` is what its
    weights are loaded in, `bytes` how much they are."""

    context: int
    dtype: str
    heads: int
    bytes: int


def architecture(base: str, coder: Coder) -> Architecture:
    """Return what the model's configuration says, as LLaMA-Factory reads it, of the weights in
    `base`."""
    from llamafactory.model.loader import load_config

    config = load_config(coder.model).get_text_config()
    return Architecture(
        context=int(getattr(config, "max_position_embeddings", 0) or 0),
        dtype=_dtype(precision(coder.model)),
        heads=int(getattr(config, "num_attention_heads", 0) or 0),
        bytes=_bytes(base),
    )


def _dtype(loaded: str) -> str:
    """Return the precision that weights are loaded in, or the nearest that vLLM has."""
    return loaded if loaded in ("bfloat16", "float16", "float32") else "float32"


def _bytes(base: str) -> int:
    folder = Path(base)
    if not folder.is_dir():
        return _PER_HUB_ID
    files = [path for ending in ("*.safetensors", "*.bin") for path in folder.glob(ending)]
    return sum(path.stat().st_size for path in files)
