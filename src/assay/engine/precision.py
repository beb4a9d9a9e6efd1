"""The precision that a model answers and is evaluated in: generate.llamafactory.infer_dtype, or
that of its weights.

LLaMA-Factory 0.9.5 takes infer_dtype and loads the weights in their own precision all the same: it
only holds for what quantises them. So it is told by the model's configuration, which it obeys.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.errors import StageError
from assay.model import headers

OWN = "auto"
_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}
_USUAL = "float32"  # of weights that do not say it


def precision(arguments: Any) -> str:
    """Return it by torch's name for the model that LLaMA-Factory's `arguments` name; of one that is
    quantised, that of the other weights."""
    from llamafactory.model import load_config

    return _of(load_config(arguments), arguments)


@contextmanager
def obeyed() -> Iterator[None]:
    """Have LLaMA-Factory load in it what it loads in the body."""
    from llamafactory.model import loader

    read = loader.load_config

    def load_config(arguments: Any) -> Any:
        import torch

        config = read(arguments)
        config.dtype = getattr(torch, _of(config, arguments))
        return config

    loader.load_config = load_config
    try:
        yield
    finally:
        loader.load_config = read


def check(model: Any, arguments: Any) -> None:
    """Raise StageError where the model was asked for in another precision than it is loaded in."""
    asked, loaded = arguments.infer_dtype, str(model.dtype).removeprefix("torch.")
    if asked not in (OWN, loaded) and not getattr(model, "is_quantized", False):
        raise StageError(
            f"generate.llamafactory.infer_dtype is {asked}, and the model loads in {loaded}",
            f"Set infer_dtype: {loaded}, or leave it out",
        )


def _of(config: Any, arguments: Any) -> str:
    if arguments.infer_dtype != OWN:
        return str(arguments.infer_dtype)
    own = getattr(config, "dtype", None)
    return str(own).removeprefix("torch.") if own else _of_weights(arguments.model_name_or_path)


def _of_weights(folder: str) -> str:
    """Return that of the weights whose configuration does not say it, as transformers finds it."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        for tensor in headers.tensors(path).values():
            if tensor.dtype in _NAMES:
                return _NAMES[tensor.dtype]
    return _USUAL
