"""A file of answers -> its rows, each checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.dataset.convert import Conversation
from assay.dataset.remote import copied
from assay.dataset.sources import is_file, resolve
from assay.dataset.validity import show
from assay.errors import DatasetError
from assay.given.columns import Columns, columns_of
from assay.given.frame import Frame, frame_of
from assay.given.rows import GivenRow, Needs, prompt_of, row_of
from assay.given.thought import Thoughts

WRITTEN = "generated_predictions.jsonl"
"""What LLaMA-Factory calls its file of answers, in the folder of a prediction."""
_REMEDY = "or set dataset.skip_invalid to leave such rows out"


@dataclass(frozen=True, kw_only=True)
class GivenFile:
    """A file of answers, read: its `source` as it was named, and the sha256 of its bytes. The
    prompts are `templated` where the marks of a chat template are left in them; `thoughts` says how
    those before an answer are written."""

    source: str
    sha256: str
    columns: Columns
    rows: tuple[GivenRow, ...]
    thoughts: Thoughts
    templated: bool = False

    @property
    def faults(self) -> list[str]:
        """What is wrong with its rows, a line for each that cannot be used."""
        return [f"{row.told}: {row.fault.what}" for row in self.rows if row.fault]


def read(source: str, needs: Needs, *, skip_invalid: bool) -> GivenFile:
    """Return the rows of a file. Raises DatasetError for a file that cannot be read or holds no
    answers, and for the first row that cannot be used, unless `skip_invalid`."""
    with copied(source) as (local, named):
        path = _file(local)
        raw = list(resolve(str(path))[0].rows())
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows = [(row, named(f"{row.source}:{row.number}")) for row in raw]
    values = [row.value for row in raw if isinstance(row.value, Mapping)]
    if not values:
        raise DatasetError(
            f"{source} has no row with columns: {raw[0].fault or show(raw[0].value)}"
            if raw
            else f"{source} has no rows",
            "Write one object a row, with the answer in it",
        )
    columns = columns_of(dict.fromkeys(str(name) for value in values for name in value), source)
    if needs.prompt and not columns.prompt:
        raise DatasetError(
            f"{source} has no prompts", "Call their column prompt, or name the data as dataset.eval"
        )
    parsed = _with_own_ids([row_of(row, place, columns, needs) for row, place in rows])
    file = GivenFile(
        source=source,
        sha256=sha256,
        columns=columns,
        rows=tuple(parsed),
        thoughts=needs.thoughts,
    )
    _check(file, skip_invalid=skip_invalid)
    return _bare(file) if columns.templated else file


def digest(source: str) -> str:
    """Return the sha256 of the file that `source` names."""
    with copied(source) as (local, _):
        return hashlib.sha256(_file(local).read_bytes()).hexdigest()


def _bare(file: GivenFile) -> GivenFile:
    """Return a file of LLaMA-Factory's without what its template wrote around the prompts, where
    that can be told from them."""
    frame = frame_of([prompt_of(row) for row in file.rows if row.conversation])
    if frame is None:
        return replace(file, templated=True)
    rows = [_unframed(row, row.conversation, frame) for row in file.rows]
    return replace(file, rows=tuple(rows))


def _unframed(row: GivenRow, conversation: Conversation | None, frame: Frame) -> GivenRow:
    if conversation is None:
        return row
    asked, *rest = conversation.turns
    asked = replace(asked, content=frame.inside(asked.content))
    bare = replace(conversation, system=frame.system, turns=(asked, *rest))
    return replace(row, conversation=bare)


def _file(local: str) -> Path:
    path = Path(local)
    if is_file(path / WRITTEN):
        return path / WRITTEN
    parts = resolve(local)
    if len(parts) != 1 or len(parts[0].files) != 1 or parts[0].layout:
        raise DatasetError(f"{local} is not one file of answers", "Name the file itself")
    return parts[0].files[0]


def _check(file: GivenFile, *, skip_invalid: bool) -> None:
    faulty = [row for row in file.rows if row.fault]
    first = faulty[0].fault if faulty else None
    if first and len(faulty) == len(file.rows):
        raise DatasetError(f"{file.source} has no usable row: {file.faults[0]}", first.remedy)
    if first and not skip_invalid:
        more = f" ({len(faulty) - 1} more rows cannot be used)" if len(faulty) > 1 else ""
        raise DatasetError(f"{file.faults[0]}{more}", f"{first.remedy}, {_REMEDY}")


def _with_own_ids(rows: Sequence[GivenRow]) -> list[GivenRow]:
    """Return the rows, those with a fault whose id is not theirs alone, or missing among others."""
    some, seen, checked = any(row.id for row in rows), set[str](), list[GivenRow]()
    for row in rows:
        if row.fault is None and row.id in seen:
            fault = DatasetError("another row has the same id", "Give each row its own id, or none")
            row = replace(row, fault=fault)
        elif row.fault is None and some and not row.id:
            row = replace(row, fault=DatasetError("it has no id, and others have", "Write its id"))
        if row.id:
            seen.add(row.id)
        checked.append(row)
    return checked
