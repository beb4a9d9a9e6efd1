"""Progress events in a JSONL file: written by a process, read as they land by another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import store
from assay.progress.events import Listener, Progress

POLL_SECONDS = 0.2


def to_file(path: Path) -> Listener:
    """Return a listener that appends each event to a JSONL file."""

    def listen(event: Progress) -> None:
        with store.appending(path) as file:
            store.append(file, event)

    return listen


@contextmanager
def following(path: Path, listener: Listener) -> Iterator[None]:
    """Pass the events that land in a progress file to `listener` while the body runs."""
    rows = store.tail(path)
    stop = threading.Event()

    def relay() -> None:
        for row in rows():
            listener(Progress(**row))

    def follow() -> None:
        while not stop.wait(POLL_SECONDS):
            relay()

    thread = threading.Thread(target=follow, name="follow-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        relay()
