"""Folders in a store.

A folder has an index, the object `.assay.json` under its prefix, that says "uploading" before the
first file is sent and "complete", with every file's checksum, after the last. A reader goes by it,
and so sees the folder whole or not at all. A folder without an index was written by some other
tool and is taken as it is.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.errors import StoreError
from assay.store.checksums import in_threads, of_file, part_size
from assay.store.download import StoredObject, download, is_here, look_up
from assay.store.encoding import to_json
from assay.store.files import disk
from assay.store.lock import LOCK
from assay.store.s3 import Location, explained, read
from assay.store.upload import Advance, Checksums, Published, Sent, upload

INDEX = ".assay.json"

Wanted = Callable[[str], bool]
"""Whether a file belongs to what is copied, by its path in the folder."""


def everything(_name: str) -> bool:
    """Want each file."""
    return True


@dataclass(frozen=True, kw_only=True)
class Index:
    """What a folder in a store holds: relative path -> checksums (empty while uploading)."""

    state: Literal["uploading", "complete"]
    files: Mapping[str, Checksums]


def publish(
    s3: Any, path: Path, at: Location, advance: Advance, wanted: Wanted = everything
) -> Published:
    """Make the folder `at` equal to what is wanted of the folder `path`. Raises StoreError."""
    files = {name: path / name for name in _files(path) - {INDEX} if wanted(name)}
    size = sum(file.stat().st_size for file in files.values())
    with explained(at):
        before = read_index(s3, at)
        if before and _is_same(before, files):
            advance(size)
            return Published(files=len(files), bytes=size, sent=0)
        sent = _replace(s3, files, at, set(before.files if before else ()), advance)
    return Published(files=len(files), bytes=size, sent=sent)


def _replace(
    s3: Any, files: Mapping[str, Path], at: Location, before: set[str], advance: Advance
) -> int:
    """Send the files in the place of those `before`, and return the bytes sent."""
    nothing = dict.fromkeys(before | set(files), Checksums("", "", 0))
    _write_index(s3, at, Index(state="uploading", files=nothing))
    sent = _send(s3, files, at, advance)
    for name in sorted(before - set(files)):
        s3.delete_object(Bucket=at.bucket, Key=_under(at, name).key)
    sums = {name: file.sums for name, file in sent.items()}
    _write_index(s3, at, Index(state="complete", files=sums))
    return sum(file.size for file in sent.values())


def _send(s3: Any, files: Mapping[str, Path], at: Location, advance: Advance) -> dict[str, Sent]:
    """Send small files side by side, then the large ones, whose parts go side by side."""
    sizes = {name: file.stat().st_size for name, file in files.items()}

    def send(name: str) -> Sent:
        return upload(s3, files[name], _under(at, name), advance)

    return _each(send, sizes)


def _each(function: Any, sizes: Mapping[str, int]) -> dict[str, Any]:
    small = [name for name, size in sizes.items() if not part_size(size)]
    done = dict(zip(small, in_threads(function, small), strict=True))
    return done | {name: function(name) for name in sizes if name not in done}


def _is_same(index: Index, files: Mapping[str, Path]) -> bool:
    if index.state != "complete" or set(index.files) != set(files):
        return False
    return all(
        of_file(files[name], "sha256", sums.part_size) == sums.checksum
        for name, sums in index.files.items()
    )


def objects(s3: Any, at: Location, wanted: Wanted = everything) -> dict[str, StoredObject]:
    """Return the folder's wanted objects by relative path. Raises StoreError where it is absent,
    not complete, or has names that lead out of it."""
    with explained(at):
        index = read_index(s3, at)
        if index and index.state != "complete":
            raise StoreError(
                f"{at} is not complete: its upload was cut off or still runs",
                "Wait for it, or run the stage that writes it again",
            )
        sums_of: Mapping[str, Checksums | None]
        sums_of = index.files if index else dict.fromkeys(names(s3, at))
        if not index and not sums_of:
            raise StoreError(f"{at} does not exist", "Check the bucket and the key")
        sums_of = {name: sums for name, sums in sums_of.items() if wanted(name)}
        for name in sums_of:
            if any(part in ("", ".", "..") for part in name.split("/")):
                raise StoreError(f"{_under(at, name)} leads out of its folder", "Rename it")
        sources = in_threads(lambda name: look_up(s3, _under(at, name), sums_of[name]), sums_of)
    return {name: _present(at, name, source) for name, source in zip(sums_of, sources, strict=True)}


def _present(at: Location, name: str, source: StoredObject | None) -> StoredObject:
    if source is None:
        raise StoreError(f"{_under(at, name)} is missing", "Write the whole folder again")
    return source


def fetch(s3: Any, target: Path, sources: Mapping[str, StoredObject], advance: Advance) -> Path:
    """Fill a neighbour of `target`, which takes its place when all of it is there."""
    if _is_all_here(target, sources):
        return target
    partial = target.with_name(f".{target.name}.partial")
    with disk(partial):
        partial.mkdir(parents=True, exist_ok=True)
        for name in _files(partial) - set(sources):
            (partial / name).unlink()

    def bring(name: str) -> None:
        source = sources[name]
        if is_here(partial / name, source):
            advance(source.size)
        else:
            download(s3, source, partial / name, advance)

    _each(bring, {name: source.size for name, source in sources.items()})
    with disk(target):
        replace(partial, target)
    return target


def replace(new: Path, target: Path) -> None:
    """Put the folder `new` in the place of `target`."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.replace(old)
    new.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_all_here(folder: Path, sources: Mapping[str, StoredObject]) -> bool:
    if not folder.is_dir() or _files(folder) != set(sources):
        return False
    return all(is_here(folder / name, source) for name, source in sources.items())


def _files(folder: Path) -> set[str]:
    paths: Iterable[Path] = folder.rglob("*")
    return {path.relative_to(folder).as_posix() for path in paths if path.is_file()}


def _under(at: Location, name: str) -> Location:
    return Location(at.scheme, at.bucket, f"{at.key}/{name}")


def names(s3: Any, at: Location, limit: int | None = None) -> list[str]:
    """Return the relative paths of the objects under a prefix, but for the markers that some
    tools make for folders."""
    return list(under(s3, at, limit))


def under(s3: Any, at: Location, limit: int | None = None) -> dict[str, dict[str, Any]]:
    """Return what the store lists of the objects under a prefix, by relative path."""
    prefix = f"{at.key}/"
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=at.bucket, Prefix=prefix, PaginationConfig={"MaxItems": limit}
    )
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    return {
        entry["Key"].removeprefix(prefix): entry
        for entry in entries
        if not entry["Key"].endswith(("/", f"/{LOCK}"))
    }


def version(s3: Any, at: Location) -> str:
    """Return what the folder's content is known by, "" where it is absent or not complete."""
    files = contents(s3, at)
    return "" if files is None else hashlib.sha256(to_json(sorted(files.items()))).hexdigest()


def contents(s3: Any, at: Location) -> Mapping[str, Checksums | str] | None:
    """Return what each of the folder's files is known by, its checksums or its ETag; None where
    the folder is absent or not complete."""
    index = read_index(s3, at)
    if index:
        return index.files if index.state == "complete" else None
    return {name: str(entry["ETag"]) for name, entry in under(s3, at).items()} or None


def read_index(s3: Any, at: Location) -> Index | None:
    """Return the folder's index, or None where it has none. Raises StoreError."""
    from botocore.exceptions import ClientError
    from pydantic import TypeAdapter, ValidationError

    try:
        body = read(s3, Bucket=at.bucket, Key=_under(at, INDEX).key)
        return TypeAdapter(Index).validate_json(body)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchKey":
            raise
        return None
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        raise StoreError(
            f"{_under(at, INDEX)} is no index: {first}", "Remove it and write the folder again"
        ) from None


def _write_index(s3: Any, at: Location, index: Index) -> None:
    files = {name: sums._asdict() for name, sums in sorted(index.files.items())}
    s3.put_object(
        Bucket=at.bucket,
        Key=_under(at, INDEX).key,
        Body=to_json({"state": index.state, "files": files}),
        ContentType="application/json",
    )
