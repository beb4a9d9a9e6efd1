"""Waiting for a store, as events: a run that stands still says what for, and for how long."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import store
from assay.folder import WAITS
from assay.progress.events import Listener, Progress

STORE = "store"
_PROCESS = uuid.uuid4().hex[:8]  # of several tries of a stage each has its own file
_NOTES = {"done": "it does what it is asked again", "failed": "waited for in vain"}


@contextmanager
def telling_waits(listen: Listener) -> Iterator[None]:
    """While the block runs, pass each wait for a store on to `listen`, in seconds of the bound."""

    def tell(wait: store.Wait) -> None:
        note = _NOTES.get(wait.state, f"{wait.why}: waiting for it")
        seconds, most = round(wait.seconds), round(wait.most)
        listen(
            Progress(
                stage=STORE, state=wait.state, done=seconds, total=most, unit="seconds", note=note
            )
        )

    with store.telling(tell):
        yield


def count_waits(folder: Path, stage: str) -> bool:
    """Note in a folder of results how long this process has waited for the store so far, and return
    whether that is news."""
    path = folder / WAITS / f"{stage}-{_PROCESS}.json"
    counted = store.read_json(path)[STORE] if path.is_file() else 0.0
    seconds = round(store.waited(), 1)
    if seconds <= counted:
        return False
    store.write_json(path, {STORE: seconds})
    return True


def waits(folder: Path) -> dict[str, float]:
    """Return how long all stages of a run folder have waited, in seconds, by what for."""
    total: dict[str, float] = {}
    for path in (*folder.glob(f"{WAITS}/*.json"), *folder.glob(f"*/{WAITS}/*.json")):
        for name, seconds in store.read_json(path).items():
            total[name] = total.get(name, 0.0) + seconds
    return total
