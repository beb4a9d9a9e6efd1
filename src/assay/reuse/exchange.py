"""Taking answers from an entry, and keeping them in it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from assay import placement, process, resume, store
from assay.engine.device import CPU
from assay.errors import AssayError, StoreError
from assay.folder import GENERATION
from assay.llamafactory.job import GenerateJob
from assay.records import Generation, Origin, Sample
from assay.reuse.bound import check_room, told, trim
from assay.reuse.entry import ACCELERATOR, Entry, key_of
from assay.reuse.packed import pack, present, unpacked
from assay.text import flat


def take(
    entry: Entry, samples: Iterable[Sample], out: Path, side: str, accelerated: bool | None
) -> Generation | None:
    """Put the answers of an entry that is there into the folder `out`, and return its record; None
    where there are none. `accelerated` is whether more than a CPU would answer, None: as here."""
    try:
        with store.relied_on(False):  # it is asked for first, and can be done without
            uri = "" if entry.doubt else _there(entry, accelerated)
            taken = _taken(entry, uri, samples, out) if uri else None
    except (AssayError, OSError) as error:
        _say(side, f"what {entry.cache} keeps is not used: {_told(error)}")
        return None
    if taken:
        _drop_same(out / "partial", entry)
        _note(uri, side)
    return taken


def _drop_same(work: Path, entry: Entry) -> None:
    """Remove what an earlier try had of the same answers; that of others, which a GPU has worked
    for, stays for who asks for them again."""
    identity = work / resume.IDENTITY
    begun = store.read_record(identity, GenerateJob) if identity.is_file() else entry.job
    if store.to_json(begun.settings) == store.to_json(entry.job.settings):
        shutil.rmtree(work, ignore_errors=True)


def _taken(entry: Entry, uri: str, samples: Iterable[Sample], out: Path) -> Generation:
    started = time.monotonic()
    with store.fetched(uri) as file, tempfile.TemporaryDirectory(prefix="assay-") as copies:
        folder = Path(copies)
        kept, origin = unpacked(file, folder, entry, samples)
        for name in present(folder):
            store.publish(folder / name, str(out / name))
    taken = replace(
        kept,
        model=entry.model.name,
        base_model=entry.model.base_name,
        seconds=time.monotonic() - started,
        runner=placement.runner(),
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        origin=replace(origin, entry=uri),
    )
    store.write_json(out / GENERATION, taken)
    return taken


def _note(uri: str, side: str) -> None:
    """Note that an entry is used, so that it is not the first to go."""
    try:
        with store.relied_on(False):
            store.mark_used(uri)
    except StoreError as error:
        _say(side, f"that its answers are used cannot be noted: {error.what}")


def keep(
    entry: Entry, out: Path, done: Generation, place: str, side: str, gigabytes: float = 0.0
) -> None:
    """Keep the answers in the folder `out`, known to others as `place`, for other runs; in their
    cache are at most so many `gigabytes` then (0: any number)."""
    if entry.doubt:
        _say(side, f"the answers are not kept for other runs: {entry.doubt}")
        return
    origin = Origin(
        entry="", place=place, made=done.finished, seconds=done.seconds, runner=done.runner
    )
    try:
        if key_of(entry.model, entry.job) != entry.key:
            raise StoreError(f"{entry.model.name} changed while it answered")
        with tempfile.TemporaryDirectory(prefix="assay-") as folder:
            packed = Path(folder) / "entry.zip"
            pack(packed, out, entry.key, replace(done, origin=origin))
            check_room(packed.stat().st_size, gigabytes)
            with store.relied_on(False):
                store.publish(packed, entry.uri(done.device))
    except (AssayError, OSError) as error:
        _say(side, f"the answers are not kept for other runs: {_told(error)}")
        return
    _trim(entry.cache, gigabytes, side)


def _trim(cache: str, gigabytes: float, side: str) -> None:
    try:
        with store.relied_on(False):
            removed = trim(cache, gigabytes)
    except StoreError as error:
        _say(side, f"{cache} may have more than generate.cache_gb = {gigabytes:g}: {error.what}")
        return
    if removed:
        _say(side, told(removed, cache, gigabytes))


def _there(entry: Entry, accelerated: bool | None) -> str:
    """The URI of the entry's file, "" where there is none: the device is asked for last, since
    that takes seconds."""
    devices = [device for device in (CPU, ACCELERATOR) if store.exists(entry.uri(device))]
    if not devices:
        return ""
    if accelerated is None:
        accelerated = _device() != CPU
    device = ACCELERATOR if accelerated else CPU
    return entry.uri(device) if device in devices else ""


def _device() -> str:
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        answer, log = Path(folder) / "device.json", Path(folder) / "device.log"
        process.run(
            process.python("assay.engine.device", str(answer)),
            log=log,
            what="Looking for the device",
        )
        return str(store.read_json(answer))


def _told(error: Exception) -> str:
    return error.what if isinstance(error, AssayError) else str(error)


def _say(side: str, line: str) -> None:
    print(flat(f"{side or 'generate'}: {line}"), file=sys.stderr, flush=True)
