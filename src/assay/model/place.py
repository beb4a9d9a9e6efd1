"""Where a model lies: in a folder, in a store, or on the hub; and the digest of its weights."""

from __future__ import annotations

import os
from pathlib import Path

from assay import hub, progress, store
from assay.errors import ModelError

CONFIG, ADAPTER = "config.json", "adapter_config.json"


def local(name: str, listen: progress.Listener = progress.ignore, *, weights: bool = True) -> str:
    """Return where the model `name` is on this machine: `name` itself, of a hub its id without a
    revision, or for a URI the copy of it, which is fetched (`listen` is told) unless it is there.
    Raises StoreError."""
    if not store.is_remote(name):
        return hub.split(name)[0]
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
    """Return the digest of a base model's weights; of a hub id the commit that it is pinned to, or
    "" where it is to none."""
    if pinned := hub.commit(base_model):
        return pinned
    directory = local(base_model)
    return store.digest_weights(Path(directory)) if is_folder(directory) else ""


def check_hub_id(name: str) -> None:
    """Raise ModelError where `name`, which is nothing on this machine, can be no hub id either."""
    if not hub.is_id(name):
        raise ModelError(f"model {name} does not exist", "Correct the path, or give a hub id")
