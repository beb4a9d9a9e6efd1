"""A real model that learns a handful of samples by heart in seconds: SmolLM2's first two layers."""

from __future__ import annotations

from pathlib import Path

LAYERS = 2


def cut(source: Path, folder: Path) -> Path:
    """Write the first two layers of the model `source`, with its tokenizer, to `folder`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source)
    model.model.layers = model.model.layers[:LAYERS]
    model.config.num_hidden_layers = LAYERS
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:LAYERS]
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder
