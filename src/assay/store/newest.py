"""The newest of the artifacts under a prefix."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from assay.store import folders
from assay.store.artifacts import is_remote
from assay.store.s3 import Location, client, explained, locate


def newest(prefix: str, markers: Collection[str]) -> str:
    """Return the URI or path of the folder under `prefix` that was finished last, "" for none.

    A folder is one that holds a file named as one of `markers`, and lies in no other such folder;
    one that is still being uploaded does not count. Raises StoreError.
    """
    files = _remote(locate(prefix)) if is_remote(prefix) else _local(Path(prefix))
    times: dict[PurePosixPath, datetime] = {}
    marked: set[PurePosixPath] = set()
    for name, changed in files:
        path = PurePosixPath(name)
        for folder in path.parents:
            times[folder] = max(times.get(folder, changed), changed)
        if path.name in markers:
            marked.add(path.parent)
    outermost = [folder for folder in marked if not marked.intersection(folder.parents)]
    for folder in sorted(outermost, key=lambda path: (times[path], str(path)), reverse=True):
        uri = f"{prefix.rstrip('/')}/{folder}" if str(folder) != "." else prefix
        if not is_remote(uri) or _is_whole(locate(uri)):
            return uri
    return ""


def _remote(at: Location) -> Iterator[tuple[str, datetime]]:
    s3 = client(at.scheme)
    start = f"{at.key.rstrip('/')}/" if at.key else ""
    with explained(at):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=start)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"][len(start) :], entry["LastModified"]


def _local(folder: Path) -> Iterator[tuple[str, datetime]]:
    for path in folder.rglob("*"):
        if path.is_file():
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            yield path.relative_to(folder).as_posix(), changed


def _is_whole(at: Location) -> bool:
    with explained(at):
        index = folders.read_index(client(at.scheme), at)
    return index is None or index.state == "complete"
