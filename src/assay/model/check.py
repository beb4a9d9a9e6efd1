"""What a model is refused for before anything loads it, and what is worth knowing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from assay.errors import check_all
from assay.model import base, files, several, words
from assay.model.loadable import Model


def check_whole(model: Model) -> None:
    """Raise InputError, a line for each problem, where the folders of a model lack a file that
    loading it takes, or have one that is cut off. Weights in a store are not fetched for it."""
    checks = (partial(files.check, name, adapter=each) for name, each in _folders(model).items())
    check_all(*checks)


def check_words(model: Model, settings: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where an adapter was tuned with more tokens than its base has, and the
    LLaMA-Factory `settings` at `where`, by which it is loaded, add none."""
    for each in model.each:
        if each.adapter:
            words.check(each.name, each.adapter, model.base, settings, where)


def check_merge(model: Model, settings: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where a model has several adapters that could not be merged as the
    LLaMA-Factory `settings` at `where` have it loaded."""
    if model.over:
        several.check_settings(model.name, quantization(model), settings, where)


def remarks(model: Model, settings: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is worth knowing of a model that is loaded by the LLaMA-Factory `settings` at
    `where`, and refuses nothing. Raises InputError."""
    for name, tuned in _folders(model).items():
        for file in files.pickles(name, adapter=tuned):
            yield (
                f"{name} has pickled weights ({file}): tensors alone are read from them, nothing "
                "in them is run"
            )
    for each in model.each:
        if each.adapter and not each.manifest:
            yield from _of_foreign(each, settings, where)


def _of_foreign(model: Model, settings: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is worth knowing of an adapter that Assay did not train."""
    if recorded := base.unproven(model.adapter, model.base_name):
        yield (
            f"{model.name} names {recorded} as its base, which is not here: {model.base_name} is "
            "known only to have layers of the same shapes"
        )
    added = words.find(model.adapter, model.base)
    if added and added.words and not added.words.keys() & settings.keys():
        yield (
            f"{model.name} has tokens that its base lacks. Unless its template adds them, set "
            f"{where}: {{{added.settings}}}"
        )


def quantization(model: Model) -> str:
    """Return how the weights of a model, or of its base, are quantized: "" for not at all."""
    return files.quantization(model.base_name)


def _folders(model: Model) -> dict[str, bool]:
    """Return the folders of a model, and whether each is an adapter's."""
    return {model.base_name: False, **{each.name: bool(each.adapter) for each in model.each}}
