"""What a model is known by, and what it was tuned from."""

from __future__ import annotations

from pathlib import Path

from assay import hub, store
from assay.model import base
from assay.model.loadable import Model
from assay.model.several import joined, names


def tuned_from(model: Model, base_model: str = "") -> str:
    """Return what a model was tuned from, "" where nothing says so; `base_model` is where that is
    now. Raises ModelError where it is gone or is another model, and StoreError."""
    if model.adapter:
        return model.base_name
    return base.of_full(model.name, model.manifest, base_model) if model.manifest else ""


def content(name: str) -> str:
    """Return what all files of the model `name`, a directory or URI, are known by: it changes with
    any of them, and those in a store are not fetched for it. A hub id is known by its commit: ""
    without one. Raises StoreError."""
    parts = [_content(part) for part in names(name)]
    return joined(parts) if all(parts) else ""


def _content(name: str) -> str:
    if store.is_remote(name):
        return store.version(name)
    if hub.commit(name):
        return name
    directory = Path(name)
    return store.digest_files(directory) if directory.is_dir() else ""
