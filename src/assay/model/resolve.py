"""What a name stands for: a model directory, a URI, a hub id or adapters on top of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay import hub, progress, store
from assay.errors import ModelError
from assay.folder import MANIFEST
from assay.model import adapter, base, several
from assay.model.configuration import check_configuration
from assay.model.loadable import Model, on_base
from assay.model.place import ADAPTER, CONFIG, base_digest, check_hub_id, left_out, local
from assay.model.several import joined, names
from assay.records import ModelManifest


def resolve(name: str, base_model: str = "", *, weights: bool = True) -> Model:
    """Return the model that `name` (a directory, an s3:// or minio:// URI, or a hub id) stands for,
    or the adapters on top of each other whose names have commas between them.

    `base_model` is the base of an adapter whose own record of it does not hold here. A URI's model
    is copied to this machine, once; without `weights` all but those, so that there is no digest.
    Raises ModelError when a directory is missing, holds no model, was changed since its fine-tune,
    or is an adapter of another base, and StoreError for a URI.
    """
    parts = names(name)
    if len(parts) > 1:
        return _on_top_of_each_other(name, parts, base_model, weights)
    directory = Path(local(name, weights=weights))
    if not directory.exists():
        return _hub_model(name)
    if not directory.is_dir():
        raise ModelError(f"{name} is a file, not a model directory", "Name the directory")
    manifest = read_manifest(directory)
    full = Model(
        name=name,
        base=str(directory),
        base_name=name,
        digest=_digest(name, directory, manifest, weights),
        seed=_seed_of(manifest),
        manifest=manifest,
    )
    if (directory / ADAPTER).is_file():
        return _adapter(full, directory, base_model, weights)
    if not (directory / CONFIG).is_file():
        raise ModelError(
            f"{name} holds no model: neither {CONFIG} nor {ADAPTER}",
            "Name the directory that the fine-tune wrote",
        )
    return full


def _digest(name: str, directory: Path, manifest: ModelManifest | None, weights: bool) -> str:
    """Return the digest of a model's weights, "" where they were left out. Raises ModelError where
    they, or the files beside them, are not those that its manifest says."""
    if left_out(name, weights):
        return ""
    digest = store.digest_weights(directory)
    if manifest and manifest.digest != digest:
        raise ModelError(
            f"{name}: the weights ({digest[:12]}) are not those that were fine-tuned "
            f"({manifest.digest[:12]})",
            "Restore the directory, or fine-tune again",
        )
    if manifest:
        check_configuration(name, directory, manifest.configuration)
    return digest


def _adapter(full: Model, directory: Path, base_model: str, weights: bool) -> Model:
    """Return the adapter in `directory`, read like a `full` model, on its base."""
    adapter.check(full.name, directory, full.seed)
    several.check_path(full.name, directory)
    below = base.of_adapter(full.name, directory, full.manifest, base_model, weights)
    if left_out(below, weights):
        return replace(full, base=below, base_name=below, adapter=str(directory))
    return replace(
        full,
        base=local(below),
        base_name=below,
        base_digest="" if hub.commit(below) else base_digest(below),
        adapter=str(directory),
    )


def pinned(model: Model, loading: Mapping[str, Any]) -> Model:
    """Return the model with the commit of what is loaded from a hub, by LLaMA-Factory's settings
    `loading`, where it has none yet. Raises ModelError as `hub.pinned`."""
    base_name = hub.pinned(model.base_name, loading)
    if model.adapter:
        return on_base(model, base_name)
    return _hub_model(base_name) if base_name != model.base_name else model


def _on_top_of_each_other(
    name: str, parts: tuple[str, ...], base_model: str, weights: bool
) -> Model:
    over = tuple(resolve(part, base_model, weights=weights) for part in parts)
    for each in over:
        several.check_adapter(each.name, each.adapter)
        several.check_base((over[0].name, over[0].base_name), (each.name, each.base_name), weights)
    return replace(
        over[0],
        name=name,
        adapter=joined([each.adapter for each in over]),
        digest=several.digest([each.digest for each in over]),
        seed=over[-1].seed,
        manifest=next((each.manifest for each in reversed(over) if each.manifest), None),
        over=over,
    )


def fetch(name: str, listen: progress.Listener = progress.ignore) -> None:
    """Have the model `name`, and each of several adapters, on this machine. Raises StoreError."""
    for part in names(name):
        local(part, listen)


def read_manifest(directory: Path) -> ModelManifest | None:
    """Return the manifest in a model directory, or None where Assay did not write the model."""
    path = directory / MANIFEST
    return store.read_record(path, ModelManifest) if path.is_file() else None


def _hub_model(name: str) -> Model:
    check_hub_id(name)
    return Model(name=name, base=local(name), base_name=name, digest=hub.commit(name))


def _seed_of(manifest: ModelManifest | None) -> int | None:
    seed = manifest.settings.get("seed") if manifest else None
    return seed if isinstance(seed, int) else None
