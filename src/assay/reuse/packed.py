"""An entry as the one file that it is: a side's answers, packed, and read back only if they fit."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from assay import store
from assay.errors import AssayError, StoreError
from assay.folder import ANSWERED, GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS
from assay.llamafactory.job import GenerateJob
from assay.records import Generation, Origin, Prediction, Sample
from assay.reuse.entry import Entry

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)


def pack(packed: Path, out: Path, key: str, kept: Generation) -> None:
    """Write the answers in the folder `out`, their record as `kept`, to the file `packed`."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        archive.comment = key.encode()
        for name in present(out):
            archive.write(out / name, name)
        archive.writestr(GENERATION, store.to_json(kept, indent=2))


def present(folder: Path) -> list[str]:
    """Return the files of a side's answers in `folder`, but for the record, which comes last."""
    return [name for name in ANSWERED if name != GENERATION and (folder / name).is_file()]


def unpacked(
    file: Path, folder: Path, entry: Entry, samples: Iterable[Sample]
) -> tuple[Generation, Origin]:
    """Unpack an entry into `folder` and return its record. Raises StoreError where it is damaged,
    or is not what it is named after."""
    try:
        with zipfile.ZipFile(file) as archive:
            key = archive.comment.decode(errors="replace")
            for name in set(ANSWERED) & set(archive.namelist()):
                (folder / name).write_bytes(archive.read(name))
        kept = store.read_record(folder / GENERATION, Generation)
        ids = [row.id for row in store.read_rows(folder / PREDICTIONS, Prediction)]
    except _DAMAGED as error:
        raise StoreError(f"{file.name} is damaged: {error}", "Remove it") from None
    except AssayError as error:
        told = error.what.replace(f"{folder}/", "")
        raise StoreError(f"{file.name} is damaged: {told}", "Remove it") from None
    job = entry.job
    fits = (
        key == entry.key
        and ids == [sample.id for sample in samples]
        and (not job.digest or kept.digest == job.digest)
        and _measured(kept, job) <= set(present(folder))
    )
    if not fits or kept.origin is None:
        raise StoreError(f"{file.name} holds something else than its name says", "Remove it")
    return kept, kept.origin


def _measured(kept: Generation, job: GenerateJob) -> set[str]:
    """Return the files of the likelihood: one has no totals where no number of it was finite."""
    if not job.settings["evaluate_loss"]:
        return set()
    return {LIKELIHOOD, RESULTS} if kept.results else {LIKELIHOOD}
