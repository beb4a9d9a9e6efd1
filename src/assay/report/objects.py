"""The objects of a history, all under one prefix: a record for each run, its scores beside it, and
one for each acceptance.

A name starts with the time and ends with the run's identity: names sort by time, and two runs never
write the same one. Nothing is ever changed but a run's own objects, by that run; each object
appears whole or not at all, so that runs at the same time lose nothing.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from assay import store
from assay.errors import InputError, SettingsError, StoreError
from assay.report import kept
from assay.report.contents import Acceptance, Record
from assay.report.kept import Scores
from assay.report.plain import plain

_RECORD = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{16}\.json")
_SCORES = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{16}\.scores\.json\.gz")
_ACCEPTANCE = re.compile(r"accepted-\d{8}T\d{9}Z-[0-9a-f]{16}-[0-9a-f]{8}\.json")
_TIME = "%Y%m%dT%H%M%S%fZ"
_REMEDY = "Remove it, or put back what it was; what else the history holds is not touched"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names in a history, the oldest first: one record for each run. What else lies there is
    not read."""

    records: tuple[str, ...]
    scores: tuple[str, ...]
    acceptances: tuple[str, ...]


def names(history: str) -> Names:
    """Return what lies in a history, nothing where it is not there yet. Raises SettingsError and
    StoreError."""
    found = sorted(_listed(history))
    of_run: dict[str, str] = {}
    for name in filter(_RECORD.fullmatch, found):
        of_run.setdefault(run_of(name), name)  # a run that two processes told of at once
    return Names(
        records=tuple(of_run.values()),
        scores=tuple(filter(_SCORES.fullmatch, found)),
        acceptances=tuple(filter(_ACCEPTANCE.fullmatch, found)),
    )


def run_of(name: str) -> str:
    """Return the id of the run that an object is of."""
    return name.removeprefix("accepted-").split("-")[1].partition(".")[0]


def stamp_of(name: str) -> str:
    """Return the time in an object's name, as it sorts."""
    return name.removeprefix("accepted-").partition("-")[0]


def time_of(name: str) -> str:
    """Return the time in an object's name (UTC, ISO 8601, to the millisecond)."""
    return told(datetime.strptime(stamp_of(name), _TIME).replace(tzinfo=UTC))


def told(time: datetime) -> str:
    """Return a time in UTC as a record tells it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_record(history: str, name: str) -> Record:
    """Return the record of a run. Raises InputError where it cannot be read."""
    return _read(history, name, "record of a run", lambda path: _record(path, run_of(name)))


def read_scores(history: str, name: str) -> Scores:
    """Return the scores of a run. Raises InputError where they cannot be read."""
    return _read(history, name, "scores of a run", kept.read)


def read_acceptance(history: str, name: str) -> Acceptance:
    """Return an acceptance. Raises InputError where it cannot be read."""
    return _read(history, name, "acceptance", lambda path: _acceptance(path, run_of(name)))


def write_run(history: str, record: Record, scores: Scores) -> None:
    """Put a run into the history, in the place of the same run's objects where it has some: the
    scores first, so that where there is a record they are there. Raises StoreError."""
    stem = f"{_stamp(record.time)}-{record.id}"
    _write(history, f"{stem}.scores.json.gz", lambda path: kept.write(path, scores))
    _write(history, f"{stem}.json", lambda path: store.write_json(path, plain(record)))


def write_acceptance(history: str, acceptance: Acceptance) -> None:
    """Put an acceptance into the history, beside all others. Raises StoreError."""
    name = f"accepted-{_stamp(acceptance.time)}-{acceptance.run}-{uuid.uuid4().hex[:8]}.json"
    _write(history, name, lambda path: store.write_json(path, plain(acceptance)))


def _listed(history: str) -> list[str]:
    if store.is_remote(history):
        return store.listed(history)
    folder = Path(history)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"history = {history} is a file", "Name a folder")
    return [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _read(history: str, name: str, what: str, read: Callable[[Path], T]) -> T:
    uri = f"{history.rstrip('/')}/{name}"
    try:
        with store.fetched(uri) as path:
            return _parsed(path, uri, what, read)
    except StoreError as error:
        raise InputError(f"{uri} cannot be read: {error.what}", error.remedy) from None


def _record(path: Path, run: str) -> Record:
    record = store.read_record(path, Record)
    _check_run(record.id, run)
    try:
        store.to_json(record)  # what could not be written in a report later
    except ValueError:
        raise InputError("it holds a number that is not finite") from None
    return record


def _acceptance(path: Path, run: str) -> Acceptance:
    acceptance = store.read_record(path, Acceptance)
    _check_run(acceptance.run, run)
    return acceptance


def _check_run(told: str, run: str) -> None:
    if told != run:
        raise InputError(f"it is of the run {told}, and its name is of {run}")


def _parsed(path: Path, uri: str, what: str, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except InputError as error:
        why = error.what.removeprefix(f"{path}: ").removeprefix(f"{path.name} ")
        why = why.replace(str(path), "it")
    except OSError as error:
        why = str(error.strerror)
    raise InputError(f"{uri} is no {what}: {why}", _REMEDY)


def _write(history: str, name: str, write: Callable[[Path], None]) -> None:
    if not store.is_remote(history):
        write(Path(history) / name)
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / name
        write(path)
        store.publish(path, f"{history.rstrip('/')}/{name}")


def _stamp(time: str) -> str:
    return re.sub(r"[-:.]", "", time)
