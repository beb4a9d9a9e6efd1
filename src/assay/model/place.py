"""Where a model lies: in a folder, in a store, or on the hub; and the digest of its weights."""

from __future__ import annotations

import os
from pathlib import Path

from assay import progress, store
from assay.errors import ModelError

CONFIG, ADAPTER = "config.json", "adapter_config.json"


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


def left_out(name: str, weights: bool) -> bool:
    """Return whether the weights of the model `name` stay where they are."""
    return store.is_remote(name) and not weights


def is_folder(name: str) -> bool:
    """Return whether `name` is a directory of this machine; a name may be too long for one."""
    return os.path.isdir(name)  # noqa: PTH112


def base_digest(base_model: str) -> str:
    """Return the digest of a base model's weights, or "" for a hub id."""
    directory = local(base_model)
    return store.digest_weights(Path(directory)) if is_folder(directory) else ""


def check_hub_id(name: str) -> None:
    """Raise ModelError where `name`, which is nothing on this machine, can be no hub id either."""
    if not is_hub_id(name):
        raise ModelError(f"model {name} does not exist", "Correct the path, or give a hub id")


def is_hub_id(name: str) -> bool:
    """Return whether `name` could be a model of the hub: owner/name."""
    owner, _, model = name.partition("/")
    return bool(owner and model) and "/" not in model and not owner.startswith((".", "~"))
