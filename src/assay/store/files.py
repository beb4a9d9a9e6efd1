"""Text, JSON and records in local files, which appear whole or not at all: they are written to a
neighbour, then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from assay.errors import InputError, StoreError
from assay.store.encoding import from_json, reader_of, to_json
from assay.text import whole

T = TypeVar("T")

_PARTIAL = ".partial"
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR)


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`. Raises InputError where it is missing or not JSON."""
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", "Restore the file or delete it") from None


def read_record(path: Path, cls: type[T]) -> T:
    """Return the one `cls` record in the JSON file `path`. Raises InputError."""
    return reader_of(cls, path)(read_json(path), 0)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, atomically; a lone surrogate becomes U+FFFD."""
    with replacing(path) as file:
        file.write(whole(text).encode())


def write_json(path: Path, value: Any) -> None:
    """Write a record or JSON value to `path`, atomically."""
    with replacing(path) as file:
        file.write(to_json(value, indent=2) + b"\n")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a neighbour of `path` that takes its place when the block ends without an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def partials(folder: Path) -> Iterator[Path]:
    """Yield what processes write that are to take the place of files in `folder`; of one that was
    killed it stays."""
    return folder.glob(f".*.[0-9]*{_PARTIAL}")


def unreadable(path: Path, error: OSError) -> InputError:
    """Return what to say of a file that the operating system does not give."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist", "Run the stage that writes it first")
    told = f"{path} cannot be read: {error.strerror}"
    return InputError(told, "Restore it, or look at its rights")


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn what the operating system says of `path` into a StoreError with a remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}",
            "Choose another folder, or get the right to write there"
            if error.errno in _NO_RIGHT
            else "Choose another folder: a file stands in the place of this one"
            if error.errno in _IN_THE_WAY
            else "Make room or choose another folder, then run the same command again: it resumes",
        ) from error
