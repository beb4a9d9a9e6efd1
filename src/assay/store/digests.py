"""What files and rows are known by: sha256 over what is in them. A file that has not changed is
read once in a process, and not again by another one of this machine that is told what it held."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.store.encoding import to_json

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf")


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """The `sha256` of the file `path`, and what its file system said of it then (`status`): device,
    inode, size in bytes, and when its content and itself were changed, in nanoseconds."""

    path: str
    status: tuple[int, ...]
    sha256: str


_read: dict[str, ReadFile] = {}


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


def files_read(directories: Iterable[Path]) -> list[ReadFile]:
    """Return what this process has read directly in the `directories`, for another to be told."""
    folders = {str(directory.absolute()) for directory in directories}
    return [file for file in _read.values() if str(Path(file.path).parent) in folders]


def trust(files: Iterable[ReadFile]) -> None:
    """Have files count as read that another process on this machine has, as long as each is still
    what it was then."""
    _read.update((file.path, file) for file in files)


def _digest(directory: Path, paths: Iterable[Path], wanted: Callable[[str], bool]) -> str:
    digest = hashlib.sha256()
    files = {path.relative_to(directory).as_posix(): path for path in paths if path.is_file()}
    names = sorted(filter(wanted, files))
    for name in names:
        digest.update(name.encode() + b"\0")
        digest.update(bytes.fromhex(_file(files[name].absolute()).sha256))
    return digest.hexdigest() if names else ""


def _file(path: Path) -> ReadFile:
    found = path.stat()  # before it is read: what is written meanwhile makes it another
    status = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    earlier = _read.get(str(path))
    if earlier and earlier.status == status:
        return earlier
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    _read[str(path)] = read = ReadFile(path=str(path), status=status, sha256=sha256)
    return read
