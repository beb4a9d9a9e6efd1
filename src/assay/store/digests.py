"""What files and rows are known by: sha256 over what is in them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assay.store.encoding import to_json

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf")


def hash_rows(rows: Iterable[Any]) -> str:
    """Return the sha256 of the rows' JSON, independent of where they are stored."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_json(row) + b"\n")
    return digest.hexdigest()


def digest_weights(directory: Path) -> str:
    """Return the sha256 over names and contents of the weight files directly in `directory`, or
    "" where it has none. Two directories with the same weights have the same digest."""
    return _digest(directory, directory.glob("*"), lambda name: name.endswith(WEIGHT_SUFFIXES))


def digest_files(directory: Path) -> str:
    """Return the sha256 over names and contents of all files in `directory`, however deep, but for
    hidden ones; "" where it has none."""
    return _digest(directory, directory.rglob("*"), lambda name: not f"/{name}".count("/."))


def _digest(directory: Path, paths: Iterable[Path], wanted: Callable[[str], bool]) -> str:
    digest = hashlib.sha256()
    files = {path.relative_to(directory).as_posix(): path for path in paths if path.is_file()}
    names = sorted(filter(wanted, files))
    for name in names:
        digest.update(name.encode() + b"\0")
        status = files[name].stat()
        digest.update(_digest_of(files[name], status.st_ino, status.st_size, status.st_mtime_ns))
    return digest.hexdigest() if names else ""


@functools.lru_cache(maxsize=1024)
def _digest_of(path: Path, _inode: int, _size: int, _changed: int) -> bytes:
    """Return a file's sha256; one that has not changed is read once in a process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
