"""Which model another one was tuned from, and whether the one that is here is that model.

What counts is the content, not the name: a digest of the weights where there is one of both, and
else the shapes of an adapter's layers, which tell models of two sizes apart, not two trainings of
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from assay import hub, store
from assay.errors import ModelError
from assay.model import adapter, files, headers
from assay.model.headers import Tensor
from assay.model.place import (
    ADAPTER,
    base_digest,
    check_hub_id,
    is_folder,
    left_out,
    local,
)
from assay.records import ModelManifest

_SET = "Set base_model to the model that it was tuned from"
_LAYER = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.\w+)?\.weight")
_BLOCK = re.compile(r".*?\.\d+\.")  # in it a file may name parts otherwise than the model does
_FLOATS = ("F64", "F32", "F16", "BF16")


def of_adapter(
    name: str, directory: Path, manifest: ModelManifest | None, asked: str, weights: bool
) -> str:
    """Return the base of the adapter `name`: `asked` where that is not "", else the recorded one.

    Raises ModelError where there is none, it is not here, or it is another model, and StoreError.
    """
    recorded = manifest.base_model if manifest else adapter.recorded_base(name, directory)
    base = asked or recorded
    if not base:
        raise ModelError(f"{name} does not say which base model it adapts", "Set base_model")
    _check_there(name, base, asked, manifest)
    _check_no_adapter(name, base)
    if left_out(base, weights):
        return base
    if manifest:
        _check_digest(name, manifest, base, directory)
    elif base != recorded:
        _check_foreign(name, directory, recorded, base)
    return base


def of_full(name: str, manifest: ModelManifest, asked: str) -> str:
    """Return the model that the whole model `name` was tuned from: `asked` where that is not "",
    else the recorded one. Raises ModelError where it is another model, and StoreError."""
    base = asked or manifest.base_model
    _check_there(name, base, asked, manifest, ", or baseline to what to compare with")
    if not store.is_remote(base):
        _check_digest(name, manifest, base)
    return base


def unproven(directory: str, base: str) -> str:
    """Return the base that a foreign adapter names where nothing but the shapes of its layers
    speaks for `base`, "" where more does."""
    recorded = adapter.recorded_base(directory, Path(directory))
    return "" if base == recorded or is_folder(recorded) else recorded


def _check_there(
    name: str, base: str, asked: str, manifest: ModelManifest | None, else_do: str = ""
) -> None:
    """Refuse a base that is nothing here and no hub id: LLaMA-Factory would look for it there."""
    if store.is_remote(base) or Path(base).exists():
        return
    if asked:
        check_hub_id(base)
    elif not (hub.commit(base) or (hub.is_id(base) and not (manifest and manifest.base_digest))):
        raise ModelError(
            f"{name} was tuned from {base}, which is not here",
            f"Set base_model to where it is now{else_do}",
        )


def _check_no_adapter(name: str, base: str) -> None:
    if (Path(local(base, weights=False)) / ADAPTER).is_file():
        raise ModelError(
            f"{name} adapts {base}, which is an adapter itself",
            "Merge that one into its base first (llamafactory-cli export), and set base_model to "
            "the result",
        )


def _check_digest(
    name: str, manifest: ModelManifest, base: str, adapter_folder: Path | None = None
) -> None:
    if hub.commit(manifest.base_model) and is_folder(local(base)):
        # what a commit holds, no folder says; an adapter's layers do
        if adapter_folder:
            check_fits(name, adapter_folder, base)
    elif manifest.base_digest and (digest := base_digest(base)) != manifest.base_digest:
        raise ModelError(
            f"{name} adapts {manifest.base_model} ({manifest.base_digest[:12]}), "
            f"not {base} ({digest[:12] or 'no weights there'})",
            _SET,
        )


def _check_foreign(name: str, directory: Path, recorded: str, base: str) -> None:
    """Refuse a base that the adapter's own record, or the shapes of its layers, speak against."""
    if is_folder(recorded):
        same = base_digest(recorded) == base_digest(base) != ""
    elif is_folder(local(base)):
        same = True
        check_fits(name, directory, base)
    else:
        same = not recorded or Path(hub.split(recorded)[0]).name == Path(hub.split(base)[0]).name
    if not same:
        raise ModelError(f"{name} adapts {recorded}, not {base}", _SET)


def check_fits(name: str, directory: Path, base: str) -> None:
    """Raise ModelError where a layer of an adapter is of another size in the folder `base`."""
    if misfit := _misfit(directory, base):
        raise ModelError(f"{name} does not fit {base}: {misfit}", _SET)


def _misfit(directory: Path, base: str) -> str:
    """Return which layer of an adapter its base does not have in that shape, "" for none."""
    tuned = dict(_layers(tensors(files.look(str(directory)), adapter=True)))
    model = tensors(files.look(local(base)))
    here = {layer: model[f"{layer}.weight"] for layer in tuned if f"{layer}.weight" in model}
    blocks = {match[0] for name in model if (match := _BLOCK.match(name))}
    for layer, wanted in tuned.items():
        block = _BLOCK.match(layer)
        if here and block and block[0] not in blocks:
            return f"it has no layer {layer}"
        tensor = here.get(layer)
        if tensor and tensor.dtype in _FLOATS and sorted(tensor.shape) != sorted(wanted):
            return f"{layer} is {_by(wanted)} in one and {_by(tensor.shape)} in the other"
    return ""


def _layers(tensors: dict[str, Tensor]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the layers that a LoRA changes, with their size out of its two factors."""
    factors: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if match := _LAYER.fullmatch(name):
            factors.setdefault(match[1], {})[match[2]] = tensor
    for layer, pair in factors.items():
        if len(pair) == 2 and all(len(tensor.shape) == 2 for tensor in pair.values()):
            yield layer, (pair["B"].shape[0], pair["A"].shape[1])


def tensors(folder: files.Folder, *, adapter: bool = False) -> dict[str, Tensor]:
    """Return the tensors of those weights that are safetensors."""
    paths = [folder.here / name for name in files.weights(folder, adapter=adapter)]
    present = [path for path in paths if path.suffix == ".safetensors" and path.is_file()]
    return {name: tensor for path in present for name, tensor in headers.tensors(path).items()}


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
