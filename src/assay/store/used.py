"""What lies in a folder or under a prefix, how large it is and when it was last used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from assay.store import folders
from assay.store.artifacts import is_remote
from assay.store.files import disk
from assay.store.s3 import client, explained, locate

_USED = ".used"
"""What is used is not written again in a store: an empty object beside it has the time."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One file by its `name`, its size in bytes, and when it was last written or `marked`, in
    seconds since 1970."""

    name: str
    bytes: int
    used: float


def stored(uri: str) -> list[Stored]:
    """Return the files directly in the folder or prefix `uri`, [] where it is not there. Raises
    StoreError."""
    if not is_remote(uri):
        with disk(Path(uri)):
            return list(_here(Path(uri)))
    at = locate(uri.rstrip("/"))
    with explained(at):
        objects = folders.under(client(at.scheme), at)
    times = {name: entry["LastModified"].timestamp() for name, entry in objects.items()}
    return [
        Stored(
            name=name,
            bytes=entry["Size"],
            used=max(times[name], times.get(f"{name}{_USED}", times[name])),
        )
        for name, entry in objects.items()
        if not name.endswith(_USED) and "/" not in name
    ]


def _here(folder: Path) -> Iterator[Stored]:
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # another process may remove it meanwhile
            stat = path.stat()
            if S_ISREG(stat.st_mode):
                yield Stored(name=path.name, bytes=stat.st_size, used=stat.st_mtime)


def mark_used(uri: str) -> None:
    """Note that the file at `uri` is used now. Raises StoreError."""
    if not is_remote(uri):
        with disk(Path(uri)):
            os.utime(uri)
        return
    at = locate(uri)
    with explained(at):
        client(at.scheme).put_object(Bucket=at.bucket, Key=f"{at.key}{_USED}", Body=b"")


def remove(uri: str) -> None:
    """Remove the file at `uri`, if it is there. Raises StoreError."""
    if not is_remote(uri):
        with disk(Path(uri)):
            Path(uri).unlink(missing_ok=True)
        return
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        for key in (at.key, f"{at.key}{_USED}"):
            s3.delete_object(Bucket=at.bucket, Key=key)
