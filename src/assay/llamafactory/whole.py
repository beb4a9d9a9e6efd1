"""Weights that a model's files lack: transformers and PEFT draw them at random, and only warn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.errors import ModelError
from assay.text import some

_OF_AN_ADAPTER = ("lora_", "modules_to_save")


@contextmanager
def whole() -> Iterator[None]:
    """Raise ModelError where a model or an adapter that the body loads has not all its weights."""
    import peft
    import transformers

    models: Any = transformers.PreTrainedModel
    adapters: Any = peft.PeftModel
    read, adapt = models.__dict__["from_pretrained"], adapters.load_adapter
    models.from_pretrained = classmethod(_of_model(read.__func__))
    adapters.load_adapter = _of_adapter(adapt)
    try:
        yield
    finally:
        models.from_pretrained = read
        adapters.load_adapter = adapt


def check_whole(arguments: Any) -> None:
    """Raise ModelError where the folder that LLaMA-Factory's `arguments` name lacks weights, none
    of which is read: for who loads them without a word. A hub id passes, what is quantised, and
    what has code of its own."""
    from llamafactory.model import load_config
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    config = load_config(arguments)
    kinds = (AutoModelForImageTextToText, AutoModelForCausalLM)  # in LLaMA-Factory's order
    kind = next((kind for kind in kinds if type(config) in kind._model_mapping), None)
    name = arguments.model_name_or_path
    if kind and Path(name).is_dir() and not hasattr(config, "quantization_config"):
        with whole():
            kind.from_pretrained(name, config=config, device_map="meta")


def _of_model(read: Callable[..., Any]) -> Callable[..., Any]:
    def from_pretrained(
        cls: Any, name: Any, *given: Any, output_loading_info: bool = False, **named: Any
    ) -> Any:
        model, info = read(cls, name, *given, output_loading_info=True, **named)
        if not getattr(model, "is_quantized", False):  # whose parts have names of their own
            _check(name, "lacks", info["missing_keys"])
        return (model, info) if output_loading_info else model

    return from_pretrained


def _of_adapter(adapt: Callable[..., Any]) -> Callable[..., Any]:
    def load_adapter(model: Any, name: Any, *given: Any, **named: Any) -> Any:
        found = adapt(model, name, *given, **named)
        _check(name, "lacks", found.missing_keys)
        strange = {key for key in found.unexpected_keys if any(a in key for a in _OF_AN_ADAPTER)}
        _check(name, "has what no layer of its base takes:", strange)
        return found

    return load_adapter


def _check(name: Any, what: str, keys: Collection[str]) -> None:
    if keys:
        raise ModelError(
            f"the weights of {name} are not those of its configuration: it {what} "
            f"{some(sorted(keys))}",
            "Copy the model there again, whole: with part of its weights it is another model",
        )
