"""What a model's folder has to hold before anything loads it, told by the names of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import InputError, ModelError, raise_all
from assay.model import complete, headers, pickled
from assay.model.place import CONFIG, is_folder, local
from assay.text import some

# as transformers and PEFT look for them, the first that is there
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The folder of the model that a user calls `name`: the `files` in it, and `here`, where
    they are on this machine, but for the weights of a model in a store."""

    name: str
    here: Path
    files: frozenset[str]


def look(name: str) -> Folder:
    """Return the folder of the model `name`, a directory or URI. Raises StoreError."""
    here, remote = Path(local(name, weights=False)), store.is_remote(name)
    paths = store.listed(name) if remote else [path.name for path in here.iterdir()]
    files = {path.partition("/")[0] for path in paths if remote or (here / path).exists()}
    return Folder(name=name, here=here, files=frozenset(files))


def check(name: str, *, adapter: bool = False) -> None:
    """Raise InputError, a line for each problem, where the folder of a model, or of an `adapter`,
    lacks a file that loading it takes, or has one that is not whole. A hub id passes."""
    if store.is_remote(name) or is_folder(name):
        folder = look(name)
        raise_all(_adapter_problems(folder) if adapter else _model_problems(folder))


def weights(folder: Folder, *, adapter: bool = False) -> tuple[str, ...]:
    """Return the names of the files that hold the weights, those that an index names included.
    Raises InputError for an index that cannot be read."""
    first = _first(folder, _ADAPTER_WEIGHTS if adapter else _WEIGHTS)
    if not first.endswith(".json"):
        return (first,) if first else ()
    return tuple(sorted(set(_index(folder, first).values())))


def size(folder: Path) -> int:
    """Return how many bytes the weights have that are loaded from a directory, which may hold them
    once more in another form, as Mistral's do; 0 where there is none. Raises as `weights`."""
    paths = [folder / name for name in weights(look(str(folder)))] if folder.is_dir() else []
    return sum(path.stat().st_size for path in paths if path.is_file())


def _first(folder: Folder, known: Iterable[str]) -> str:
    return next((name for name in known if name in folder.files), "")


def _index(folder: Folder, name: str) -> dict[str, str]:
    """Return which file has each tensor, by the index of this name."""
    parts = _object(folder, name).get("weight_map")
    if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
        raise ModelError(f"{folder.name}: {name} names no files", "Copy the file there again")
    return parts


def pickles(name: str, *, adapter: bool = False) -> tuple[str, ...]:
    """Return the files with the weights of a model, or an `adapter`, that are pickles; none of a
    hub id."""
    if not (store.is_remote(name) or is_folder(name)):
        return ()
    held = weights(look(name), adapter=adapter)
    return tuple(file for file in held if file.endswith(pickled.SUFFIX))


def quantization(name: str) -> str:
    """Return how the weights of a model are quantized (quant_method), "" for not at all and of a
    hub id."""
    if not (store.is_remote(name) or is_folder(name)):
        return ""
    here = Path(local(name, weights=False)) / CONFIG
    config = _object(look(name), CONFIG) if here.is_file() else {}
    how = config.get("quantization_config")
    return str(how.get("quant_method", "")) if isinstance(how, dict) else ""


def _adapter_problems(folder: Folder) -> Iterator[InputError]:
    if not set(_ADAPTER_WEIGHTS) & folder.files:
        yield _no_weights(folder, _ADAPTER_WEIGHTS[:1])
    broken = list(_broken(folder, weights(folder, adapter=True)))
    yield from broken
    path = folder.here / _ADAPTER_WEIGHTS[0]
    if not broken and path.is_file():
        yield from _problem_of(partial(complete.check_pairs, folder.name, path))


def _model_problems(folder: Folder) -> Iterator[InputError]:
    config = _object(folder, CONFIG)
    yield from _foreign_code(folder.name, config)
    if not config.get("model_type"):
        return  # no model that transformers knows: what it should hold cannot be told
    yield from _tokenizer_problems(folder)
    if not set(_WEIGHTS) & folder.files:
        yield _no_weights(folder, _WEIGHTS[:2])
    names = weights(folder)
    missing = [name for name in names if name not in folder.files]
    if missing:
        yield ModelError(
            f"{folder.name} lacks {some(missing)}, of the {len(names)} files that its index names",
            "Copy what is missing there",
        )
    broken = list(_broken(folder, names))
    yield from broken
    first = _first(folder, _WEIGHTS)
    if not broken and first == f"{_WEIGHTS[0]}.index.json":
        index = _index(folder, first)
        yield from _problem_of(partial(complete.check_index, folder.name, folder.here, index))
    if not broken:
        yield from _problem_of(
            partial(complete.check_depth, folder.name, config, _held(folder, first))
        )


def _held(folder: Folder, first: str) -> Iterable[str]:
    """Return the names of the weights that are in a file, or by an index in several; none where
    that cannot be told without reading them."""
    if first.endswith(".json"):
        return _index(folder, first)
    path = folder.here / first
    return headers.tensors(path) if path.suffix == ".safetensors" and path.is_file() else ()


def _problem_of(check: Callable[[], None]) -> Iterator[InputError]:
    try:
        check()
    except InputError as error:
        yield error


def _foreign_code(name: str, config: dict[str, Any]) -> Iterator[InputError]:
    for holder in (config, *(part for part in config.values() if isinstance(part, dict))):
        for key, value in holder.items():
            # transformers would fetch it from the hub and run it
            if key.endswith("_implementation") and "/" in str(value):
                yield ModelError(
                    f"{name}: {CONFIG} names code of a hub to run ({key}: {value})",
                    f"Remove {key} from it: a model is evaluated with what is installed",
                )


def _tokenizer_problems(folder: Folder) -> Iterator[InputError]:
    # a vocabulary of some kind, or code of the model's own that has one
    begin, end = ("tokenizer.", "vocab.", "tokenization_"), (".model", ".tiktoken", "tekken.json")
    vocabularies = [name for name in folder.files if name.startswith(begin) or name.endswith(end)]
    if not vocabularies:
        yield ModelError(
            f"{folder.name} has no tokenizer: neither tokenizer.json nor another vocabulary",
            "Copy the tokenizer's files into it, from the model that it was tuned from",
        )
    yield from _broken(folder, vocabularies)


def _no_weights(folder: Folder, wanted: tuple[str, ...]) -> ModelError:
    """Return what to say of a folder without weights; those of a checkpoint may be in pieces that
    only the tool that wrote them puts together."""
    lacks = f"{folder.name} holds no weights, no {' or '.join(wanted)}"
    if any(name.startswith("global_step") for name in folder.files):
        return ModelError(
            f"{lacks}: it is a checkpoint of DeepSpeed's ZeRO, in pieces",
            "Put them together: python zero_to_fp32.py . . --safe_serialization, in that folder",
        )
    if any(name.startswith("pytorch_model_fsdp") for name in folder.files):
        return ModelError(
            f"{lacks}: it is a checkpoint of FSDP, in pieces",
            "Put them together: accelerate merge-weights FOLDER/pytorch_model_fsdp_0 FOLDER",
        )
    return ModelError(lacks, "Copy the weights there, or name the folder that has them")


def _broken(folder: Folder, names: Iterable[str]) -> Iterator[InputError]:
    """Yield what is wrong with those of the files that are here."""
    for path in (folder.here / name for name in sorted(names)):
        if path.is_file():
            yield from _problem_of(partial(_check_file, path))


def _check_file(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(len(_POINTER))
    if begin == _POINTER:
        raise ModelError(
            f"{path} is a pointer of Git LFS, not the file itself",
            "Run in that folder: git lfs pull",
        )
    if path.suffix == ".safetensors":
        headers.tensors(path)
    elif path.suffix == pickled.SUFFIX:
        pickled.check(path)
    elif path.name == "tokenizer.json":
        store.read_json(path)


def _object(folder: Folder, name: str) -> dict[str, Any]:
    value = store.read_json(folder.here / name)
    if not isinstance(value, dict):
        raise ModelError(f"{folder.name}: {name} is no JSON object", "Restore the file")
    return value
