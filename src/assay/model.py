"""What a model is on disk, and the proof that it is the one it claims to be."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay import store
from assay.errors import ModelError
from assay.records import ModelManifest

MANIFEST = "manifest.json"
_ADAPTER = "adapter_config.json"
_CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model ready to load: `base` is a directory or hub id, `adapter` a directory or "".

    `name` and `base_name` are what a user calls them, a URI where they came from a store. `digest`
    is over the weights that make it this model: the adapter's, else the base's ("" for a hub id,
    whose weights are not here yet).
    """

    name: str
    base: str
    base_name: str
    adapter: str = ""
    digest: str = ""
    manifest: ModelManifest | None = None


def resolve(name: str, base_model: str = "") -> Model:
    """Return the model that `name` (a directory, a URI or a hub id) stands for, fetched.

    `base_model` is the base of an adapter whose own record of it does not hold here. Raises
    ModelError when a directory is missing, holds no model, was changed since its fine-tune, or is
    an adapter of another base.
    """
    directory = Path(local(name))
    if not directory.exists():
        return _hub_model(name)
    if not directory.is_dir():
        raise ModelError(f"{name} is a file, not a model directory", "Name the directory")
    manifest = read_manifest(directory)
    digest = store.digest_weights(directory)
    if manifest and manifest.digest != digest:
        raise ModelError(
            f"{name}: the weights ({digest[:12]}) are not those that were fine-tuned "
            f"({manifest.digest[:12]})",
            "Restore the directory, or fine-tune again",
        )
    if not _is_adapter(name, directory):
        here = str(directory)
        return Model(name=name, base=here, base_name=name, digest=digest, manifest=manifest)
    base = _base_of(name, directory, manifest, base_model)
    _check_base(name, manifest, base)
    return Model(
        name=name,
        base=local(base),
        base_name=base,
        adapter=str(directory),
        digest=digest,
        manifest=manifest,
    )


def describe(name: str, base_model: str = "") -> Model:
    """Return what can be known of a model without its weights: as `resolve`, but of one in a store
    only the small files are read, and what they say of the weights is not verified."""
    if not store.is_remote(name):
        return resolve(name, base_model)
    if not store.exists(name):
        raise ModelError(f"{name} holds no whole model", "Correct the URI, or publish the model")
    with _small_files(name) as directory:
        manifest = read_manifest(directory)
        digest = manifest.digest if manifest else ""
        adapter = _is_adapter(name, directory)
        base = _base_of(name, directory, manifest, base_model) if adapter else name
    return Model(
        name=name,
        base=base,
        base_name=base,
        adapter=name if adapter else "",
        digest=digest,
        manifest=manifest,
    )


def manifest_of(name: str) -> ModelManifest | None:
    """Return the manifest of a model directory or URI, or None where Assay did not write it."""
    if not store.is_remote(name):
        return read_manifest(Path(name))
    with _small_files(name) as directory:
        return read_manifest(directory)


def local(name: str) -> str:
    """Return where `name` can be read: itself, or for a URI a verified copy in the user's cache."""
    if not store.is_remote(name):
        return name
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = hashlib.sha256(name.encode()).hexdigest()[:16]
    return str(store.fetch(name, cache / "assay/models" / folder))


def base_digest(base_model: str) -> str:
    """Return the digest of a local base model's weights, or "" for a hub id."""
    directory = Path(base_model)
    return store.digest_weights(directory) if directory.is_dir() else ""


def read_manifest(directory: Path) -> ModelManifest | None:
    """Return the manifest in a model directory, or None where Assay did not write the model."""
    path = directory / MANIFEST
    return store.read_record(path, ModelManifest) if path.is_file() else None


@contextmanager
def _small_files(uri: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for file in (MANIFEST, _ADAPTER, _CONFIG):
            if store.exists(f"{uri}/{file}"):
                store.fetch(f"{uri}/{file}", Path(folder))
        yield Path(folder)


def _hub_model(name: str) -> Model:
    owner, _, model = name.partition("/")
    if not owner or not model or "/" in model or owner.startswith((".", "~")):
        raise ModelError(f"model {name} does not exist", "Correct the path, or give a hub id")
    return Model(name=name, base=name, base_name=name)


def _is_adapter(name: str, directory: Path) -> bool:
    if (directory / _ADAPTER).is_file():
        return True
    if not (directory / _CONFIG).is_file():
        raise ModelError(
            f"{name} holds no model: neither {_CONFIG} nor {_ADAPTER}",
            "Name the directory that the fine-tune wrote",
        )
    return False


def _base_of(name: str, adapter: Path, manifest: ModelManifest | None, base_model: str) -> str:
    recorded = str(store.read_json(adapter / _ADAPTER).get("base_model_name_or_path") or "")
    base = base_model or (manifest.base_model if manifest else recorded)
    if not base:
        raise ModelError(f"{name} does not say which base model it adapts", "Set base_model")
    if not manifest and base_model and recorded and Path(recorded).name != Path(base_model).name:
        raise ModelError(
            f"{name} adapts {recorded}, not {base_model}",
            "Set base_model to the model that it was tuned from",
        )
    return base


def _check_base(name: str, manifest: ModelManifest | None, base: str) -> None:
    if not (manifest and manifest.base_digest):
        return
    if (digest := base_digest(local(base))) != manifest.base_digest:
        raise ModelError(
            f"{name} adapts {manifest.base_model} ({manifest.base_digest[:12]}), "
            f"not {base} ({digest[:12] or 'no weights there'})",
            "Set base_model to the model that it was tuned from",
        )
