"""What a model is on disk, and the proof that it is the one it claims to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import progress, store
from assay.errors import ModelError
from assay.folder import MANIFEST
from assay.records import ModelManifest

_ADAPTER = "adapter_config.json"
LATEST = "latest"
_MARKERS = ("config.json", _ADAPTER)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model ready to load: `base` is a directory or hub id, `adapter` a directory or "".

    `name` and `base_name` are what the user calls it and its base: directory, URI or hub id.
    `digest` is over the weights that make it this model: the adapter's, else the base's ("" for
    a hub id, whose weights are not here yet). `seed` is that of its fine-tune, None where it is
    not known: what loading draws at random has to be what training drew.
    """

    name: str
    base: str
    base_name: str
    adapter: str = ""
    digest: str = ""
    seed: int | None = None
    manifest: ModelManifest | None = None


def resolve(name: str, base_model: str = "", *, weights: bool = True) -> Model:
    """Return the model that `name` (a directory, an s3:// or minio:// URI, or a hub id) stands for.

    `base_model` is the base of an adapter whose own record of it does not hold here. A URI's model
    is copied to this machine, once; without `weights` all but those, so that there is no digest.
    Raises ModelError when a directory is missing, holds no model, was changed since its fine-tune,
    or is an adapter of another base, and StoreError for a URI.
    """
    directory = Path(local(name, weights=weights))
    if not directory.exists():
        return _hub_model(name)
    if not directory.is_dir():
        raise ModelError(f"{name} is a file, not a model directory", "Name the directory")
    manifest = read_manifest(directory)
    digest = "" if _left_out(name, weights) else store.digest_weights(directory)
    if manifest and manifest.digest != digest and not _left_out(name, weights):
        raise ModelError(
            f"{name}: the weights ({digest[:12]}) are not those that were fine-tuned "
            f"({manifest.digest[:12]})",
            "Restore the directory, or fine-tune again",
        )
    seed = _seed_of(manifest)
    if (directory / _ADAPTER).is_file():
        _check_adapter(name, directory, seed)
        base = _base_of(name, directory, manifest, base_model, weights)
        return Model(
            name=name,
            base=base if _left_out(base, weights) else local(base),
            base_name=base,
            adapter=str(directory),
            digest=digest,
            seed=seed,
            manifest=manifest,
        )
    if not (directory / "config.json").is_file():
        raise ModelError(
            f"{name} holds no model: neither config.json nor {_ADAPTER}",
            "Name the directory that the fine-tune wrote",
        )
    return Model(
        name=name,
        base=str(directory),
        base_name=name,
        digest=digest,
        seed=seed,
        manifest=manifest,
    )


def newest(name: str) -> str:
    """Return the model that `name` means: PREFIX/latest is the model under PREFIX that was
    finished last, unless there is something of that name; any other name is itself.

    Raises ModelError and StoreError.
    """
    prefix = _prefix_of_latest(name)
    if not prefix or store.exists(name):
        return name
    latest = store.newest(prefix, _MARKERS)
    if not latest:
        raise ModelError(f"there is no model under {prefix}", "Correct it, or wait for the first")
    return latest


def is_latest_of(asked: str, model: str) -> bool:
    """Return whether `asked` is the PREFIX/latest of a prefix that `model` lies under."""
    prefix = _prefix_of_latest(asked)
    return bool(prefix) and model.startswith(f"{prefix}/")


def _prefix_of_latest(name: str) -> str:
    """Return the prefix of PREFIX/latest, "" for any other name."""
    prefix, _, last = name.rstrip("/").rpartition("/")
    return prefix if last == LATEST else ""


def local(name: str, listen: progress.Listener = progress.ignore, *, weights: bool = True) -> str:
    """Return where the model `name` is on this machine: `name` itself, or for a URI the copy of
    it, which is fetched (`listen` is told) unless it is there. Raises StoreError."""
    if not store.is_remote(name):
        return name
    total = max(1, store.size(name) >> 20) if weights else 1
    with progress.track(listen, "fetch", total=total, unit="MB", note=name) as tracker:
        copy = store.cached(name, progress.megabytes(tracker), weights=weights)
        tracker.at(total)
    return str(copy)


def _left_out(name: str, weights: bool) -> bool:
    return store.is_remote(name) and not weights


def base_digest(base_model: str) -> str:
    """Return the digest of a base model's weights, or "" for a hub id."""
    directory = Path(local(base_model))
    return store.digest_weights(directory) if directory.is_dir() else ""


def content(name: str) -> str:
    """Return what all files of the model `name`, a directory or URI, are known by: it changes with
    any of them, and those in a store are not fetched for it. "" for a hub id. Raises StoreError."""
    if store.is_remote(name):
        return store.version(name)
    directory = Path(name)
    return store.digest_files(directory) if directory.is_dir() else ""


def read_manifest(directory: Path) -> ModelManifest | None:
    """Return the manifest in a model directory, or None where Assay did not write the model."""
    path = directory / MANIFEST
    return store.read_record(path, ModelManifest) if path.is_file() else None


def _hub_model(name: str) -> Model:
    owner, _, model = name.partition("/")
    if not owner or not model or "/" in model or owner.startswith((".", "~")):
        raise ModelError(f"model {name} does not exist", "Correct the path, or give a hub id")
    return Model(name=name, base=name, base_name=name)


def _seed_of(manifest: ModelManifest | None) -> int | None:
    seed = manifest.settings.get("seed") if manifest else None
    return seed if isinstance(seed, int) else None


def _adapter_config(name: str, directory: Path) -> dict[str, Any]:
    config = store.read_json(directory / _ADAPTER)
    if not isinstance(config, dict):
        raise ModelError(f"{name}: {_ADAPTER} is no JSON object", "Restore the file")
    return config


def _check_adapter(name: str, directory: Path, seed: int | None) -> None:
    """Refuse an adapter that PEFT cannot load as it was trained, or only by running what it names.

    Where training began with a part of the base, PEFT takes that part out again: it can't where it
    was drawn at random (pissa_niter_N) by no known seed, or from data (corda).
    """
    config = _adapter_config(name, directory)
    if config.get("megatron_config"):
        module = config.get("megatron_core")
        raise ModelError(
            f"{name} names a Python module to import (megatron_core: {module})",
            f"Remove megatron_config from its {_ADAPTER}: Assay evaluates without Megatron",
        )
    start = str(config.get("init_lora_weights")).lower()
    if start.startswith("corda") or (start.startswith("pissa_niter_") and seed is None):
        raise ModelError(
            f"{name} fits only the base as its training began with it (init_lora_weights: "
            f"{start}), which nothing in it can make again",
            "Name its conversion to a plain LoRA: LLaMA-Factory's pissa_convert writes it to "
            "pissa_converted",
        )


def _base_of(
    adapter: str, directory: Path, manifest: ModelManifest | None, base_model: str, weights: bool
) -> str:
    recorded = str(_adapter_config(adapter, directory).get("base_model_name_or_path") or "")
    base = base_model or (manifest.base_model if manifest else recorded)
    if not base:
        raise ModelError(f"{adapter} does not say which base model it adapts", "Set base_model")
    if _left_out(base, weights):
        return base
    if manifest and manifest.base_digest and (digest := base_digest(base)) != manifest.base_digest:
        raise ModelError(
            f"{adapter} adapts {manifest.base_model} ({manifest.base_digest[:12]}), "
            f"not {base} ({digest[:12] or 'no weights there'})",
            "Set base_model to the model that it was tuned from",
        )
    if not manifest and base_model and recorded and Path(recorded).name != Path(base_model).name:
        raise ModelError(
            f"{adapter} adapts {recorded}, not {base_model}",
            "Set base_model to the model that it was tuned from",
        )
    return base
