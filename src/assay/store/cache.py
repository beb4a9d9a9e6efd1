"""Artifacts of a store, kept on this machine: each version is fetched once, for every process."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import StoreError
from assay.store.artifacts import fetch, version
from assay.store.files import disk
from assay.store.upload import Advance, ignore

# What this process has verified already; a folder has one version, which does not change.
_verified: set[Path] = set()


def cache_folder() -> Path:
    """Return the folder for what is kept on this machine: ASSAY_CACHE, or ~/.cache/assay."""
    return Path(os.environ.get("ASSAY_CACHE") or Path.home() / ".cache" / "assay")


def place(kind: str, *parts: str) -> Path:
    """Return the folder in the cache for what `parts` identify."""
    identity = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return cache_folder() / kind / identity[:16]


def in_cache(path: str) -> str:
    """Return where `path` is in the cache, which any machine's cache has it at; `path` itself where
    it is not in it."""
    try:
        return Path(path).relative_to(cache_folder()).as_posix()
    except ValueError:
        return path


def cached(uri: str, advance: Advance = ignore, *, weights: bool = True) -> Path:
    """Return a verified copy in the cache of the artifact at `uri` as it is now; without
    `weights` one that lacks the weight files. Raises StoreError."""
    content = version(uri)
    if not content:
        raise StoreError(
            f"{uri} is not there, or its upload was cut off", "Check the bucket and the key"
        )
    folder = place("artifacts" if weights else "described", uri, content)
    path = folder / uri.rstrip("/").rpartition("/")[2]
    with locked(folder):
        if folder not in _verified or not path.exists():
            fetch(uri, folder, advance, weights=weights)
            _verified.add(folder)
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process of this machine is in `folder`, and keep them out of it; a
    process that dies lets go of it."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder.with_name(f"{folder.name}.lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
