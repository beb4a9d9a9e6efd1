"""What has to be in the store at once: before something is paid for that only this machine's disk
would tell of, a stage has its folder sent by whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_senders: dict[Path, Callable[[], None]] = {}


@contextmanager
def keeping(folder: Path, send: Callable[[], None]) -> Iterator[None]:
    """Have `send` bring what is in `folder` to the store, whenever it must be there at once, while
    the block runs."""
    place = folder.resolve()
    _senders[place] = send
    try:
        yield
    finally:
        _senders.pop(place, None)


def keep_now(path: Path) -> None:
    """Have what `path` holds in the store before anything more is done, where its folder is kept in
    one. Raises StoreError where the store does not take it, having waited for one that is away."""
    for folder in path.resolve().parents:
        if send := _senders.get(folder):
            send()
