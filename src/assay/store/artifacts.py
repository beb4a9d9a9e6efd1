"""Artifacts: files and folders, at local paths and in S3 stores."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import StoreError
from assay.store import folders
from assay.store.checksums import of_file
from assay.store.digests import WEIGHT_SUFFIXES
from assay.store.download import download, is_here, look_up
from assay.store.encoding import to_json
from assay.store.files import disk, replacing
from assay.store.folders import Wanted, everything
from assay.store.s3 import SCHEMES, Location, client, explained, locate
from assay.store.upload import Advance, Checksums, Published, head, ignore, upload


def is_remote(uri: str) -> bool:
    """Return whether `uri` lies in a store rather than on a local path."""
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme in SCHEMES


def check_folder(uri: str) -> None:
    """Raise StoreError for a `uri` that neither lies in a store nor can name a local folder: one of
    another scheme would be a folder called so, here."""
    if is_remote(uri):
        return
    if "://" in uri:
        raise StoreError(
            f"{uri} lies in no store that can be written",
            "Name a folder, or a prefix by s3:// or minio://",
        )
    try:
        Path(uri).stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"{uri} can be no folder: {why}", "Name another") from None


def exists(uri: str) -> bool:
    """Return whether there is a whole artifact at `uri`. Raises StoreError."""
    if not is_remote(uri):
        return os.path.exists(uri)  # noqa: PTH110 - a name may be too long for pathlib
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        index = folders.read_index(s3, at)
        if index:
            return index.state == "complete"
        return head(s3, at) is not None or bool(folders.names(s3, at, limit=1))


def make_bucket(uri: str) -> None:
    """Make the bucket s3://NAME or minio://NAME unless it is there. Raises StoreError."""
    scheme, _, name = uri.partition("://")
    s3 = client(scheme)
    with explained(uri):
        if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=name)


def version(uri: str) -> str:
    """Return what the artifact at `uri`, in a store, is known by: it changes with the content, and
    is "" where there is no whole artifact. Raises StoreError."""
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        return folders.version(s3, at) or str((head(s3, at) or {}).get("ETag", ""))


def contents(uri: str) -> dict[str, str]:
    """Return what each file of the artifact at `uri`, in a store, is known by, by its path in it:
    "" for an artifact that is one file. {} where there is no whole one. Raises StoreError."""
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        files = folders.contents(s3, at)
        if files is None and (single := head(s3, at)):
            return {"": to_json(single["ETag"]).decode()}
    return {name: to_json(known).decode() for name, known in (files or {}).items()}


def is_known_by(path: Path, known: str) -> bool:
    """Return whether a file here is surely what a store knows by this: see `contents`."""
    sums = json.loads(known)
    if not isinstance(sums, list):
        return False
    stated = Checksums(*sums)
    return of_file(path, "sha256", stated.part_size) == stated.checksum


def listed(uri: str) -> list[str]:
    """Return the relative paths of the objects under the prefix `uri`, but for those whose name
    starts with a dot. Raises StoreError."""
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        names = folders.names(s3, at)
    return [name for name in names if not name.rpartition("/")[2].startswith(".")]


def size(uri: str) -> int:
    """Return the bytes of the artifact at `uri`, in a store. Raises StoreError."""
    at = locate(uri)
    s3 = client(at.scheme)
    with explained(at):
        objects = folders.under(s3, at)
        if not objects:
            return int((head(s3, at) or {}).get("ContentLength", 0))
    return sum(entry["Size"] for entry in objects.values())


def publish(
    path: Path, uri: str, advance: Advance = ignore, *, wanted: Wanted = everything
) -> Published:
    """Copy the file or folder `path` to `uri`; what is there already is not sent again.

    Readers see the artifact whole or not at all. Files of an earlier version that `path` does not
    have are removed. `advance` is told of bytes as they are done; of a folder in a store only the
    files whose relative path is `wanted` are sent. Raises StoreError.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist", "Run the stage that writes it first")
    if not is_remote(uri):
        return _publish_locally(path, Path(uri))
    at = locate(uri)
    s3 = client(at.scheme)
    if path.is_dir():
        return folders.publish(s3, path, at, advance, wanted)
    sent = upload(s3, path, at, advance)
    return Published(files=1, bytes=path.stat().st_size, sent=sent.size)


def fetch(
    uri: str,
    directory: Path,
    advance: Advance = ignore,
    *,
    weights: bool = True,
    wanted: Wanted = everything,
) -> Path:
    """Return a local copy of the file or folder at `uri`: `uri` itself where it is a local path,
    else a verified copy in `directory`, under its own name. Raises StoreError.

    What is in `directory` already and has the right checksum is not fetched again. Of a folder in
    a store only the files whose relative path is `wanted` are fetched, and none of its weight files
    without `weights`.
    """
    if not is_remote(uri):
        if "://" in uri:
            raise StoreError(
                f"{uri} lies where nothing is read from",
                "Name a file or folder here, or one by s3:// or minio://",
            )
        if not Path(uri).exists():
            raise StoreError(f"{uri} does not exist", "Check the path and where it starts from")
        return Path(uri)
    at = locate(uri)
    s3 = client(at.scheme)
    target = directory / at.key.rpartition("/")[2]
    with explained(at):
        single = None if folders.read_index(s3, at) else look_up(s3, at)
    if single is None:
        objects = folders.objects(
            s3, at, lambda name: wanted(name) and (weights or _no_weights(name))
        )
        _check_room(directory, at, sum(source.size for source in objects.values()))
        return folders.fetch(s3, target, objects, advance)
    if not is_here(target, single):
        _check_room(directory, at, single.size)
        download(s3, single, target, advance)
    return target


@contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Give what `fetch` returns; a copy lives as long as the block. Raises as `fetch` does."""
    with tempfile.TemporaryDirectory(prefix="assay-") as copies:
        yield fetch(uri, Path(copies))


def _no_weights(name: str) -> bool:
    return not name.endswith(WEIGHT_SUFFIXES)


def _check_room(directory: Path, at: Location, size: int) -> None:
    with disk(directory):
        directory.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(directory).free
    if free < size:
        raise StoreError(
            f"{at} has {size:,} bytes and {directory} has room for {free:,}",
            "Make room or choose another folder",
        )


def _publish_locally(path: Path, target: Path) -> Published:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    if path.resolve() == target.resolve():
        return Published(files=len(files), bytes=size, sent=0)
    if path.is_file():
        with replacing(target) as copy, path.open("rb") as file:  # two may write it at once
            shutil.copyfileobj(file, copy)
        return Published(files=1, bytes=size, sent=size)
    partial = target.with_name(f".{target.name}.partial")
    with disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(path, partial)
        folders.replace(partial, target)
    return Published(files=len(files), bytes=size, sent=size)
