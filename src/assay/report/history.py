"""The history of a recurring evaluation: one small JSON object a run, under one prefix.

An object's name starts with the time and ends with the run's identity: names sort by time, two runs
never write the same one, and a run that is reported again replaces its own.
"""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay import store
from assay.errors import InputError, SettingsError
from assay.folder import CONFIG, GENERATION, HISTORY
from assay.records import SIDES
from assay.report.contents import Record
from assay.report.plain import plain

KEPT = 50
_NAME = re.compile(r"(\d{8}T\d{9}Z)-([0-9a-f]{16})\.json")
_TIME = "%Y%m%dT%H%M%S%fZ"
_READERS = 8


@dataclass(frozen=True, kw_only=True)
class History:
    """history.json of a run folder: the run's `id` and `time`, and the last `KEPT` records before
    it, the oldest first."""

    id: str
    time: str
    earlier: tuple[Record, ...]


def check_history(history: str) -> None:
    """Raise SettingsError or StoreError where `history` is no folder or prefix to be read."""
    if "://" in history and not store.is_remote(history):
        raise SettingsError(
            f"history = {history} lies in no store that can be written",
            "Name a folder, or a prefix by s3:// or minio://",
        )
    _names(history)


def collect(history: str, run: Path) -> None:
    """Write history.json into the folder `run`: what came before it, and when it was first told.

    Raises InputError for a record that is none, and StoreError.
    """
    names, id_ = _names(history), identity(run)
    own = next((name for name in names if name.endswith(f"-{id_}.json")), "")
    earlier = [name for name in names if not own or name < own][-KEPT:]
    time = _time(own) if own else datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_READERS) as readers:
        records = tuple(readers.map(lambda name: _read(history, name, Path(folder)), earlier))
    told = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    store.write_json(run / HISTORY, History(id=id_, time=told, earlier=records))


def add(history: str, record: Record) -> None:
    """Put `record` into the history, in the place of the same run's where it has one. Raises
    StoreError."""
    stamp = re.sub(r"[-:.]", "", record.time)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{stamp}-{record.id}.json"
        store.write_json(path, plain(record))
        store.publish(path, f"{history.rstrip('/')}/{path.name}")


def identity(run: Path) -> str:
    """Return what a run is known by: what was asked, and how its predictions came to be, to the
    microsecond. It stays the same when the run is judged or reported again."""
    config = run / CONFIG
    parts: list[object] = [config.read_text(encoding="utf-8")] if config.is_file() else []
    paths = [run / side / GENERATION for side in SIDES]
    parts += [plain(store.read_json(path)) for path in paths if path.is_file()]
    return store.hash_rows(parts)[:16]


def _names(history: str) -> list[str]:
    """Return the names of the records, the oldest first; what else lies there is not read."""
    if store.is_remote(history):
        names = store.listed(history)
    else:
        folder = Path(history)
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"history = {history} is a file", "Name a folder")
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(name for name in names if _NAME.fullmatch(name))


def _read(history: str, name: str, folder: Path) -> Record:
    uri = f"{history.rstrip('/')}/{name}"
    path = store.fetch(uri, folder)
    try:
        return store.read_record(path, Record)
    except InputError as error:
        what = error.what.removeprefix(f"{path}: ").replace(str(path), "it")
        raise InputError(f"{uri} is no record of a run: {what}", "Remove it") from None


def _time(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)
