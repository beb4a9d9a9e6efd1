"""Weights that a model's files lack, or that nothing in it takes up: transformers and PEFT draw the
first at random, drop the others, and only warn."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from assay.errors import ModelError
from assay.llamafactory import leftover, tied
from assay.llamafactory.readable import readable
from assay.text import some

_OF_AN_ADAPTER = ("lora_", "modules_to_save")
_AGAIN = "Copy the model there again, whole, its config.json with it"
ADAPTER = "Copy the adapter there again, whole, its adapter_config.json with it"
_MISMATCH = re.compile(r"size mismatch for ([^:\s]+)")


@contextmanager
def whole() -> Iterator[None]:
    """Raise ModelError where a model or an adapter that the body loads has not all its weights, or
    more layers than its configuration."""
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


def check_whole(arguments: Any) -> Mapping[str, str]:
    """Raise ModelError where the folders that LLaMA-Factory's `arguments` name, of a base and of
    adapters of it, lack weights or have others, none of which is computed with: for who loads them
    without a word. Those of a hub id are downloaded first. What is quantised passes, and what has
    code of its own. Return which weights the base's configuration ties to which."""
    from llamafactory.model import load_config
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    config = load_config(arguments)
    kinds = (AutoModelForImageTextToText, AutoModelForCausalLM)  # in LLaMA-Factory's order
    kind = next((kind for kind in kinds if type(config) in kind._model_mapping), None)
    if not kind or hasattr(config, "quantization_config"):
        return {}
    with whole(), tied.uncompared():
        model = kind.from_pretrained(
            arguments.model_name_or_path,
            config=config,
            device_map="meta",
            cache_dir=arguments.cache_dir,
            revision=arguments.model_revision,
            token=arguments.hf_hub_token,
        )
        pairs = dict(model.all_tied_weights_keys)
        for adapter in arguments.adapter_name_or_path or ():
            with readable(adapter, "the adapter", ADAPTER):
                PeftModel.from_pretrained(
                    model, adapter, low_cpu_mem_usage=True, torch_device="cpu"
                ).unload()
    return pairs


def _of_model(read: Callable[..., Any]) -> Callable[..., Any]:
    def from_pretrained(
        cls: Any, name: Any, *given: Any, output_loading_info: bool = False, **named: Any
    ) -> Any:
        named = {"ignore_mismatched_sizes": True, **named}  # they are told below
        with readable(str(name), "the model", _AGAIN):
            model, info = read(cls, name, *given, output_loading_info=True, **named)
        _check(name, "has in another size", map(_resized, info["mismatched_keys"]))
        if not getattr(model, "is_quantized", False):  # whose parts have names of their own
            _check(name, "lacks", info["missing_keys"])
            _check_left(name, model, info["unexpected_keys"])
        return (model, info) if output_loading_info else model

    return from_pretrained


def _resized(found: tuple[str, Sequence[int], Sequence[int]]) -> str:
    name, held, wanted = found
    return f"{name} ({' x '.join(map(str, held))}, not {' x '.join(map(str, wanted))})"


def _of_adapter(adapt: Callable[..., Any]) -> Callable[..., Any]:
    def load_adapter(model: Any, name: Any, *given: Any, **named: Any) -> Any:
        try:
            found = adapt(model, name, *given, **named)
        except RuntimeError as error:
            _check(name, "has in another size", _MISMATCH.findall(str(error)))
            raise
        _check(name, "lacks", found.missing_keys)
        strange = {key for key in found.unexpected_keys if any(a in key for a in _OF_AN_ADAPTER)}
        _check(name, "has what no layer of its base takes:", strange)
        return found

    return load_adapter


def _check_left(name: Any, model: Any, left: Collection[str]) -> None:
    own, others = leftover.apart(model, left)
    _check(name, "has no place for", own)
    if others:
        told = f"{name} holds weights of parts that answer nothing: {some(others)}"
        print(f"assay: {told}", file=sys.stderr, flush=True)


def _check(name: Any, what: str, keys: Iterable[str]) -> None:
    if found := sorted(keys):
        raise ModelError(
            f"the weights of {name} are not those of its configuration: it {what} {some(found)}",
            "Copy the model there again, whole, its config.json with it: with part of its weights "
            "it is another model",
        )
