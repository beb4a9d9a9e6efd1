"""Objects -> files, in parallel parts, each checked as it arrives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import StoreError
from assay.store.checksums import (
    Algorithm,
    Checksum,
    Digest,
    Span,
    combine,
    in_threads,
    of_file,
    spans,
)
from assay.store.files import disk
from assay.store.s3 import Location, explained
from assay.store.upload import Advance, Checksums, head

_TRIES = 4
_READ_BYTES = 1 << 20
# Ranges of an object whose checksum is over the whole of it.
_RANGE_BYTES = 16 << 20
_STREAM_BYTES, _STREAMS = 256 << 20, 8

Chunk = tuple[Span, bytes]


class StoredObject(NamedTuple):
    """An object to read. `checksum` says what it is, None where the store has none that can be
    computed; `guard` is the cheaper one for its way here, where there is one."""

    at: Location
    size: int
    etag: str
    checksum: Checksum | None
    guard: Checksum | None


def look_up(s3: Any, at: Location, sums: Checksums | None = None) -> StoredObject | None:
    """Return the object `at`, or None. Its checksums are `sums`, or else what the store
    says. Raises StoreError."""
    with explained(at):
        headers = head(s3, at)
        if not headers:
            return None
        stated = sums.checksum if sums else _stated(s3, at, headers)
    guard = sums.guard if sums else stated
    return StoredObject(at, headers["ContentLength"], headers["ETag"], stated, guard)


def _stated(s3: Any, at: Location, headers: dict[str, Any]) -> Checksum | None:
    """The object's sha256, or its ETag where that is an md5: not where a key server encrypts."""
    etag = headers["ETag"].strip('"')
    value = headers.get("ChecksumSHA256", "")
    if not value and "aws:kms" in headers.get("ServerSideEncryption", ""):
        return None
    _, _, parts = (value or etag).partition("-")
    first = s3.head_object(Bucket=at.bucket, Key=at.key, PartNumber=1) if parts else headers
    part = first["ContentLength"] if parts else 0
    if parts and len(spans(headers["ContentLength"], part)) != int(parts):
        return None
    return Checksum("sha256", value, part) if value else Checksum("md5", etag, part)


def download(s3: Any, source: StoredObject, path: Path, advance: Advance) -> None:
    """Write the object to `path`, atomically, and verify its checksum. Raises StoreError."""
    partial = path.with_name(f".{path.name}.partial")
    with disk(path), explained(source.at):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.truncate(source.size)
            digests = _fill(s3, source, file.fileno(), advance)
        _verify(source, partial, digests)
        partial.replace(path)


def _fill(s3: Any, source: StoredObject, file: int, advance: Advance) -> list[bytes]:
    """Copy all parts into the file, several streams side by side, and return their digests."""
    guard = source.guard
    part = guard.part_size if guard and guard.part_size else _RANGE_BYTES
    algorithm = guard.algorithm if guard else "md5"

    def copy(stream: Sequence[Span]) -> list[bytes]:
        return [
            _copy_part(file, span, chunks, algorithm, advance)
            for span, chunks in groupby(_chunks(s3, source, stream), key=itemgetter(0))
        ]

    parts = spans(source.size, part)
    if not source.size:
        return [Digest(algorithm).value()]
    return [digest for stream in in_threads(copy, _streams(parts)) for digest in stream]


def _streams(parts: Sequence[Span]) -> list[Sequence[Span]]:
    """Runs of parts for one request each: fewer and longer ones cost the store less."""
    least = -(-_STREAM_BYTES // parts[0].size)
    length = max(1, min(least, -(-len(parts) // _STREAMS)))
    return [parts[start : start + length] for start in range(0, len(parts), length)]


def _copy_part(
    file: int, span: Span, chunks: Iterable[Chunk], algorithm: Algorithm, advance: Advance
) -> bytes:
    digest, done = Digest(algorithm), 0
    for _, data in chunks:
        os.pwrite(file, data, span.start + done)
        digest.update(data)
        done += len(data)
    advance(done)
    return digest.value()


def _chunks(s3: Any, source: StoredObject, stream: Sequence[Span]) -> Iterator[Chunk]:
    """Yield (part, some of its bytes), going on after a broken connection."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from urllib3.exceptions import HTTPError

    failures, place, left = 0, 0, stream[0].size
    while place < len(stream):
        try:
            body = _open(s3, source, stream[place].start + stream[place].size - left, stream[-1])
            while place < len(stream):
                data = body.read(min(_READ_BYTES, left))
                if not data:
                    raise IncompleteReadError(actual_bytes=0, expected_bytes=left)
                left -= len(data)
                failures = 0  # it goes on: only a store that gives nothing is given up
                yield stream[place], data
                if not left:
                    place += 1
                    left = stream[place].size if place < len(stream) else 0
        except (HTTPClientError, IncompleteReadError, HTTPError):
            failures += 1
            if failures == _TRIES:
                raise


def _open(s3: Any, source: StoredObject, first: int, last: Span) -> Any:
    return s3.get_object(
        Bucket=source.at.bucket,
        Key=source.at.key,
        IfMatch=source.etag,
        Range=f"bytes={first}-{last.start + last.size - 1}",
    )["Body"]


def _verify(source: StoredObject, path: Path, digests: list[bytes]) -> None:
    guard = source.guard
    if guard is None:
        return
    if guard.part_size or len(digests) == 1:
        value = combine(guard.algorithm, digests, guard.part_size)
    else:
        value = of_file(path, guard.algorithm, 0).value
    if value != guard.value:
        path.unlink()
        raise StoreError(
            f"{source.at} is damaged: its {guard.algorithm} is {value}, not {guard.value}",
            "Run the stage that writes it again",
        )


def is_here(path: Path, source: StoredObject) -> bool:
    """Return whether the file `path` is known to be the object."""
    if not path.is_file() or path.stat().st_size != source.size or source.checksum is None:
        return False
    return of_file(path, source.checksum.algorithm, source.checksum.part_size) == source.checksum
