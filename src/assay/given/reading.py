"""A file of answers -> its rows, each checked."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import replace
from pathlib import Path

from assay.dataset.remote import copied
from assay.dataset.sources import is_file, resolve
from assay.dataset.validity import show
from assay.errors import DatasetError
from assay.given.columns import Columns, columns_of
from assay.given.file import GivenFile, GivenRows, RawRows
from assay.given.frame import frame_of
from assay.given.rows import Needs, row_of

WRITTEN = "generated_predictions.jsonl"
"""What LLaMA-Factory calls its file of answers, in the folder of a prediction."""
_REMEDY = "or set dataset.skip_invalid to leave such rows out"


def read(source: str, needs: Needs, *, skip_invalid: bool) -> GivenFile:
    """Return the rows of a file. Raises DatasetError for a file that cannot be read or holds no
    answers, and for the first row that cannot be used, unless `skip_invalid`."""
    with copied(source) as (local, named):
        path = _file(local)
        raw = RawRows(resolve(str(path))[0].rows(), named)
        sha256 = _sha256(path)
    if not raw.objects:
        raise DatasetError(
            f"{source} has no row with columns: {raw[0].fault or show(raw[0].value)}"
            if len(raw)
            else f"{source} has no rows",
            "Write one object a row, with the answer in it",
        )
    columns = columns_of(raw.columns, source)
    if needs.prompt and not columns.prompt:
        raise DatasetError(
            f"{source} has no prompts", "Call their column prompt, or name the data as dataset.eval"
        )
    file = GivenFile(
        source=source,
        sha256=sha256,
        columns=columns,
        rows=_parsed(raw, columns, needs),
        thoughts=needs.thoughts,
    )
    _check(file, skip_invalid=skip_invalid)
    return _bare(file) if columns.templated else file


def digest(source: str) -> str:
    """Return the sha256 of the file that `source` names."""
    with copied(source) as (local, _):
        return _sha256(_file(local))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bare(file: GivenFile) -> GivenFile:
    """Return a file of LLaMA-Factory's without what its template wrote around the prompts, where
    that can be told from them."""
    file.rows.frame = frame_of(file.rows.prompts)
    return file if file.rows.frame else replace(file, templated=True)


def _file(local: str) -> Path:
    path = Path(local)
    if is_file(path / WRITTEN):
        return path / WRITTEN
    parts = resolve(local)
    if len(parts) != 1 or len(parts[0].files) != 1 or parts[0].layout:
        raise DatasetError(f"{local} is not one file of answers", "Name the file itself")
    return parts[0].files[0]


def _check(file: GivenFile, *, skip_invalid: bool) -> None:
    faults = file.rows.faults
    if not faults:
        return
    first, told = faults[min(faults)], next(file.faults)
    if len(faults) == len(file.rows):
        raise DatasetError(f"{file.source} has no usable row: {told}", first.remedy)
    if not skip_invalid:
        more = f" ({len(faults) - 1} more rows cannot be used)" if len(faults) > 1 else ""
        raise DatasetError(f"{told}{more}", f"{first.remedy}, {_REMEDY}")


def _parsed(raw: RawRows, columns: Columns, needs: Needs) -> GivenRows:
    """Return the rows, those with a fault whose id is not theirs alone, or missing among others."""
    twice = DatasetError("another row has the same id", "Give each row its own id, or none")
    lacking = DatasetError("it has no id, and others have", "Write its id")
    rows, without = GivenRows(raw), array("q")
    for at, each in enumerate(raw):
        row = row_of(each, raw.place(at), columns, needs)
        if row.fault is None and not row.id:
            without.append(at)
        rows.add(row, row.fault or (twice if row.id in rows.ids else None))
    if rows.some:
        rows.faults.update(dict.fromkeys(without, lacking))
    return rows
