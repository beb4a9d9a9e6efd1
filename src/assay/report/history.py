"""The history of a recurring evaluation: what a run finds in it, and leaves there.

What cannot be read of it stops a run before anything is spent; once a run has begun, it is left
out and named in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from assay import store
from assay.errors import InputError, SettingsError, check_all
from assay.folder import ACCEPTED, CONFIG, EARLIER, GENERATION, HISTORY, SAMPLES
from assay.records import SIDES, Generation
from assay.report import kept, objects
from assay.report.contents import Acceptance, Record
from assay.report.objects import Names
from assay.report.plain import plain

KEPT = 50
_READERS = 8

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class History:
    """history.json of a run folder: the run's `id` and `time`, and the last `KEPT` records before
    it, the oldest first. `since` is the id of the last one that is comparable, "" for none, None in
    a history.json of before that was said; `unpaired` is why there are no scores of it. `accepted`
    is the last acceptance, `model` the record of what was accepted, and `problem` why it cannot be
    compared with; `unreadable` says what was left out."""

    id: str
    time: str
    earlier: tuple[Record, ...]
    since: str | None = None
    unpaired: str = ""
    accepted: Acceptance | None = None
    model: Record | None = None
    problem: str = ""
    unreadable: tuple[str, ...] = ()


def check_history(history: str) -> None:
    """Raise InputError where `history` is no folder or prefix to be read, or, with a line for each,
    where it holds something that a report would have to leave out."""
    if "://" in history and not store.is_remote(history):
        raise SettingsError(
            f"history = {history} lies in no store that can be written",
            "Name a folder, or a prefix by s3:// or minio://",
        )
    store.check_folder(history)
    names = objects.names(history)
    records, faults = _each(objects.read_record, history, names.records[-KEPT:])
    accepted, more = _each(objects.read_acceptance, history, names.acceptances[-1:])
    newest = {record.dataset_hash: record.id for record in records}
    runs = {*newest.values(), *(acceptance.run for acceptance in accepted)}
    compared = [name for name in names.scores if objects.run_of(name) in runs]
    faults += more + _each(objects.read_scores, history, compared)[1]
    check_all(*(lambda fault=fault: _fail(fault) for fault in faults))


def collect(history: str, run: Path) -> None:
    """Write history.json into the folder `run`, and beside it the scores that the run is compared
    with: what came before it, and when it was first told. Raises StoreError."""
    names, id_ = objects.names(history), identity(run)
    own = next((name for name in names.records if objects.run_of(name) == id_), "")
    earlier = [name for name in names.records if not own or name < own][-KEPT:]
    records, faults = _each(objects.read_record, history, earlier)
    past = History(
        id=id_,
        time=objects.time_of(own) if own else objects.told(datetime.now(UTC)),
        earlier=tuple(records),
        since="",
        unreadable=tuple(f"{fault.what}. It is left out of the trend." for fault in faults),
    )
    past = _with_earlier(past, history, names, run)
    store.write_json(run / HISTORY, _with_accepted(past, history, names, run))


def identity(run: Path) -> str:
    """Return what a run is known by: what was asked, and how its predictions came to be, to the
    microsecond. It stays the same when the run is judged or reported again."""
    config = run / CONFIG
    parts: list[object] = [config.read_text(encoding="utf-8")] if config.is_file() else []
    paths = [run / side / GENERATION for side in SIDES]
    parts += [plain(store.read_json(path)) for path in paths if path.is_file()]
    return store.hash_rows(parts)[:16]


def _with_earlier(past: History, history: str, names: Names, run: Path) -> History:
    """Return `past` with the last comparable run: one on the same dataset, else one with enough of
    the same samples; its scores are put into the folder `run`."""
    (run / EARLIER).unlink(missing_ok=True)
    dataset_hash = store.read_record(run / SIDES[1] / GENERATION, Generation).dataset_hash
    newest = {record.dataset_hash: record for record in past.earlier}
    alike = newest.pop(dataset_hash, None)
    if alike:
        why = _bring(history, names, alike.id, run / EARLIER)
        return replace(past, since=alike.id, unpaired=why)
    samples = kept.digests(run / SAMPLES)
    for record in sorted(newest.values(), key=lambda record: record.time, reverse=True):
        why = _bring(history, names, record.id, run / EARLIER)
        if not why and kept.enough(kept.read(run / EARLIER).samples, samples):
            return replace(past, since=record.id)
        (run / EARLIER).unlink(missing_ok=True)
    return past


def _with_accepted(past: History, history: str, names: Names, run: Path) -> History:
    """Return `past` with what was accepted last before the run was first told of; its scores are
    put into the folder `run`."""
    (run / ACCEPTED).unlink(missing_ok=True)
    now = past.time.translate({ord(sign): None for sign in "-:."})
    before = [
        name
        for name in names.acceptances
        if objects.stamp_of(name) <= now and objects.run_of(name) != past.id
    ]
    acceptances, faults = _each(objects.read_acceptance, history, before[-1:])
    if faults:
        return replace(past, problem=faults[0].what)
    if not acceptances:
        return past
    of_run = [name for name in names.records if objects.run_of(name) == acceptances[0].run]
    records, faults = _each(objects.read_record, history, of_run)
    why = faults[0].what if faults else "" if records else "its record is gone from the history"
    return replace(
        past,
        accepted=acceptances[0],
        model=records[0] if records else None,
        problem=why or _bring(history, names, acceptances[0].run, run / ACCEPTED),
    )


def _bring(history: str, names: Names, id_: str, path: Path) -> str:
    """Put the scores of a run at `path`, and return why not where that cannot be."""
    of_run = [name for name in names.scores if objects.run_of(name) == id_]
    if not of_run:
        return "the history has no scores of it, sample by sample: it is from before they were kept"
    scores, faults = _each(objects.read_scores, history, of_run[:1])
    for found in scores:
        kept.write(path, found)
    return faults[0].what if faults else ""


def _each(
    read: Callable[[str, str], T], history: str, names: Iterable[str]
) -> tuple[list[T], list[InputError]]:
    """Return what can be read of the objects `names`, in their order, and what is wrong with the
    others."""

    def attempt(name: str) -> T | InputError:
        try:
            return read(history, name)
        except InputError as error:
            return error

    with ThreadPoolExecutor(_READERS) as readers:
        results = list(readers.map(attempt, names))
    faults = [result for result in results if isinstance(result, InputError)]
    return [result for result in results if not isinstance(result, InputError)], faults


def _fail(fault: InputError) -> None:
    raise fault
