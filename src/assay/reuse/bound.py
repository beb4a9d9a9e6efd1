"""How much a cache keeps: beyond its bound the least recently used answers are removed."""

from __future__ import annotations

import re

from assay import store
from assay.errors import StoreError
from assay.store.used import Stored

_GIGABYTE = 1_000_000_000
_ENTRY = re.compile(r"[0-9a-f]{64}-[a-z]+\.zip")


def check_room(size: int, gigabytes: float) -> None:
    """Raise StoreError where an entry of `size` bytes is alone above the bound (0: none)."""
    if gigabytes and size > gigabytes * _GIGABYTE:
        raise StoreError(
            f"they have {size / _GIGABYTE:.3g} GB, and generate.cache_gb = {gigabytes:g}"
        )


def trim(cache: str, gigabytes: float) -> list[Stored]:
    """Remove the least recently used entries until the others are within the bound (0: none), and
    return what was removed; whatever else lies there stays, and is not counted. Raises StoreError.
    """
    if not gigabytes:
        return []
    entries = [each for each in store.stored(cache) if _ENTRY.fullmatch(each.name)]
    left, removed = sum(each.bytes for each in entries), []
    for entry in sorted(entries, key=lambda each: each.used):
        if left <= gigabytes * _GIGABYTE:
            break
        store.remove(f"{cache.rstrip('/')}/{entry.name}")
        removed.append(entry)
        left -= entry.bytes
    return removed


def told(removed: list[Stored], cache: str, gigabytes: float) -> str:
    """Return what `trim` removed, as a line."""
    size = sum(each.bytes for each in removed)
    return (
        f"{cache} keeps at most generate.cache_gb = {gigabytes:g}: {len(removed)} of its answers, "
        f"{size / _GIGABYTE:.3g} GB, the least recently used, are removed"
    )
