"""Checksums in the notation of S3: of one part, that of its bytes; of several, that of the parts'
own checksums, followed by "-" and how many they are.

A file's sha256 says whether two files are the same. Its crc64nvme, which costs a thirtieth of
that, guards the bytes on their way here.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 8
PART_BYTES = 16 << 20
MAX_PARTS = 10_000
_CHUNK_BYTES = 1 << 20
_thread = threading.local()


Algorithm = Literal["sha256", "md5", "crc64nvme"]


class Checksum(NamedTuple):
    """What `algorithm` says of a file whose parts have `part_size` bytes (0: it is one part)."""

    algorithm: Algorithm
    value: str
    part_size: int


class Span(NamedTuple):
    """A part of a file: its number from 1, and where it lies in bytes."""

    number: int
    start: int
    size: int


def part_size(size: int) -> int:
    """Return the bytes of a part for a file of `size` bytes, as they are sent: 0 for one part."""
    if size <= PART_BYTES:
        return 0
    least = -(-size // MAX_PARTS)
    return max(PART_BYTES, -(-least // _CHUNK_BYTES) * _CHUNK_BYTES)


def spans(size: int, part: int) -> list[Span]:
    """Return the parts of `size` bytes; an empty file has one, empty, part."""
    part = part or max(size, 1)
    starts = range(0, max(size, 1), part)
    return [Span(place + 1, start, min(part, size - start)) for place, start in enumerate(starts)]


def combine(algorithm: Algorithm, digests: list[bytes], part: int) -> str:
    """Return the checksum of a file from those of its parts."""
    digest = digest_of(algorithm, b"".join(digests)) if part else digests[0]
    text = digest.hex() if algorithm == "md5" else base64.b64encode(digest).decode()
    return f"{text}-{len(digests)}" if part else text


def digest_of(algorithm: Algorithm, data: bytes) -> bytes:
    """Return the digest of some bytes."""
    digest = Digest(algorithm)
    digest.update(data)
    return digest.value()


def of_file(path: Path, algorithm: Algorithm, part: int) -> Checksum:
    """Return the checksum of a file in parts of `part` bytes (0: it is one part)."""
    size = path.stat().st_size
    digests = in_threads(lambda span: _digest(path, span, algorithm), spans(size, part))
    return Checksum(algorithm, combine(algorithm, digests, part), part)


def read_chunks(path: Path, span: Span) -> Iterator[bytes]:
    """Yield the bytes of one part in small pieces."""
    with path.open("rb") as file:
        file.seek(span.start)
        for start in range(0, span.size, _CHUNK_BYTES):
            yield file.read(min(_CHUNK_BYTES, span.size - start))


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return `function` of each item, in order; an error stops what has not begun, and what has
    learns of it by `is_ended`."""
    ends = (*_ends(), end := threading.Event())
    context = copy_context()  # such as whether the store is waited for

    def work(item: Item) -> Result:
        _thread.ends = ends
        return context.copy().run(function, item)

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            return list(pool.map(work, items))
        except BaseException:
            end.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def is_ended() -> bool:
    """Return whether nobody waits any more for what this thread does."""
    return any(end.is_set() for end in _ends())


def _ends() -> tuple[threading.Event, ...]:
    """One of each `in_threads` that this thread works for: they may be nested."""
    return getattr(_thread, "ends", ())


class Digest:
    """A digest that is fed piece by piece; md5 here guards against accidents, not attacks."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.sum = 0
        crc = algorithm == "crc64nvme"
        self.hash = None if crc else hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take in more bytes."""
        if self.hash:
            self.hash.update(data)
        else:
            from awscrt.checksums import crc64nvme

            self.sum = crc64nvme(data, self.sum)

    def value(self) -> bytes:
        """Return the digest of all bytes so far."""
        return self.hash.digest() if self.hash else self.sum.to_bytes(8)


def _digest(path: Path, span: Span, algorithm: Algorithm) -> bytes:
    digest = Digest(algorithm)
    for chunk in read_chunks(path, span):
        digest.update(chunk)
    return digest.value()
