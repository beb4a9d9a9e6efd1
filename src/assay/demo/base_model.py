"""The demo's base model: SmolLM2-135M-Instruct from its wheel, as LLaMA-Factory loads it.

`python -m assay.demo.base_model FOLDER` converts the GGUF to safetensors once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay import process, progress, store
from assay.demo.judge_model import MODEL, model_file

TEMPLATE = "smollm2"


def base_model(listen: progress.Listener = progress.ignore) -> Path:
    """Return the directory of the base model, converted on first use."""
    folder = store.cache_folder() / MODEL
    if not (folder / "config.json").is_file():
        source = model_file()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with progress.track(listen, "base model", total=1, unit="model") as tracker:
            process.run(
                process.python("assay.demo.base_model", str(source), str(folder)),
                log=folder.with_suffix(".log"),
                what="The conversion of the base model",
            )
            tracker.advance()
    return folder


def convert(source: Path, folder: Path) -> None:
    """Write the model in the GGUF file `source` as safetensors to `folder`, atomically."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # the GGUF names <|im_start|> as the end; a turn of this model ends with <|im_end|>
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"  # noqa: S105
    tokenizer.save_pretrained(partial)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    model.save_pretrained(partial)
    partial.rename(folder)


if __name__ == "__main__":
    process.end_with_parent()
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
