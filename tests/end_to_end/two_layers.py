"""A real model that learns a handful of samples by heart in seconds: SmolLM2's first two layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def adapter(base: Path, folder: Path, seed: int = 3, std: float = 0.05, **more: Any) -> Path:
    """Write an adapter that changes the model `base`: its matrices are drawn at random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    modules = ["q_proj", "v_proj", "down_proj"]
    config = LoraConfig(r=12, target_modules=modules, task_type="CAUSAL_LM", **more)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=std)
    model.save_pretrained(str(folder))
    return folder
