"""The rows of a file of answers and the samples that they answer, beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.dataset.validity import show
from assay.errors import DatasetError
from assay.given.file import GivenFile
from assay.given.rows import GivenRow, prompt_of
from assay.records import Sample

_START = 20
"""Characters of a turn by which it is found where a prompt was cut in it."""
_CUT = 32
"""Characters of a reference that is long enough to have been cut."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """The number of the row of each sample that has one, by the sample's id; `by` says how they
    were found, and `unused` counts the rows of no sample."""

    rows: Mapping[str, int]
    by: Literal["id", "order", "own"]
    unused: int = 0


def match(
    file: GivenFile,
    samples: Sequence[Sample | None],
    wanted: Sequence[Sample],
    most_lacking: float,
) -> Matched:
    """Return which row answers which of the samples (None where there is none in a place), of which
    those that are drawn are `wanted`: by id where the rows have some, else by the order of all or
    of these. Raises DatasetError where they are not as many, where more than the share
    `most_lacking` of the wanted ones has no row, and for a row that is of another sample."""
    if file.rows.some:
        matched = _by_id(file, samples)
    else:
        drawn = len(file.rows) == len(wanted)
        matched = _by_order(file, wanted if drawn else samples)
    check_lacking(file, matched, wanted, most_lacking)
    _check(matched, (sample for sample in samples if sample), file)
    return matched


def check_lacking(
    file: GivenFile, matched: Matched, wanted: Iterable[Sample], most_lacking: float
) -> None:
    """Raise DatasetError where more than the share `most_lacking` of the `wanted` samples has no
    row with an answer."""
    names = [sample.id for sample in wanted]
    lacking = [name for name in names if name not in matched.rows]
    if len(lacking) > most_lacking * len(names):
        remedy = "set dataset.skip_invalid to leave them without an answer"
        told = f", and generate.max_unanswered is {most_lacking:g}" if most_lacking else ""
        lacks = "answer to" if matched.by == "own" else "row for"
        raise DatasetError(
            f"{file.source} has no {lacks} {len(lacking):,} of {len(names):,} samples, such as "
            f"id={lacking[0]}{told}",
            f"Add them, or {'raise generate.max_unanswered' if most_lacking else remedy}",
        )


def check_covered(file: GivenFile, matched: Matched, own: GivenFile) -> None:
    """Raise DatasetError for rows of a file that the one that the samples are made of, `own`, has
    none for: the sides would be compared only where that one answers."""
    if matched.unused:
        first = next(name for name in file.rows.ids if name not in own.rows.ids)
        raise DatasetError(
            f"{file.source} answers {matched.unused:,} samples that {own.source} has no row for, "
            f"such as id={first}",
            "Add them, name the samples as dataset.eval, or set dataset.skip_invalid to leave "
            "them out",
        )


def _by_id(file: GivenFile, samples: Sequence[Sample | None]) -> Matched:
    own = file.rows.ids
    found = sum(sample.id in own for sample in samples if sample)
    if not found:
        first, other = next(iter(own)), next(sample.id for sample in samples if sample)
        raise DatasetError(
            f"no id in {file.source}, such as {first}, is that of a sample, such as {other}",
            "Give both the same ids, or the file none: then its rows are in the data's order",
        )
    return Matched(rows=own, by="id", unused=len(own) - found)


def _by_order(file: GivenFile, samples: Sequence[Sample | None]) -> Matched:
    if len(file.rows) != len(samples):
        raise DatasetError(
            f"{file.source} has {len(file.rows):,} rows without ids, and the data has "
            f"{len(samples):,} samples",
            "Name the file that answers all of the data in its order, or give both the same ids",
        )
    faults = file.rows.faults
    rows = {sample.id: at for at, sample in enumerate(samples) if sample and at not in faults}
    return Matched(rows=rows, by="order")


def _check(matched: Matched, samples: Iterable[Sample], file: GivenFile) -> None:
    """Raise DatasetError for the first row that is of another sample than it was found for."""
    other: tuple[GivenRow, Sample, str] | None = None
    count = 0
    for each in samples:
        at = matched.rows.get(each.id)
        found = None if at is None else file.rows[at]
        if found and (why := _contradicts(found, each, file)):
            other, count = other or (found, each, why), count + 1
    if not other:
        return
    row, sample, told = other
    more = f" ({count - 1:,} more rows are of another)" if count > 1 else ""
    how = "its id" if matched.by == "id" else "its place in the order"
    raise DatasetError(
        f"{row.told}: by {how} it answers sample {sample.id}, and its {told}{more}",
        "Name the file that answers this data, put its rows in the data's order, or give both the "
        "same ids",
    )


def _contradicts(row: GivenRow, sample: Sample, file: GivenFile) -> str:
    """Return what in a row is of another sample, "" where nothing is."""
    asked = sample.messages[-1].content
    if row.conversation and not _asks(prompt_of(row), sample, templated=file.templated):
        return f"prompt is {show(prompt_of(row))}, not {show(asked)}"
    call = sample.target_role == "function_call"  # which a template writes in its own form
    blank = not row.reference.strip() or not sample.target.strip()
    texts = (file.thoughts.apart(text).answer for text in (row.reference, sample.target))
    if not call and not blank and not _same(*texts):
        return f"reference is {show(row.reference)}, not {show(sample.target)}"
    return ""


def _asks(prompt: str, sample: Sample, *, templated: bool) -> bool:
    """Whether a prompt asks what a sample does: it says the same, or the last turn, which is long
    enough to be known by, stands in it; as a chat template writes it a short one may, and it may
    have been cut within any turn."""
    text, turns = _flat(prompt), [_flat(turn.content) for turn in sample.messages]
    *_, last = turns
    if last == text or (last in text and (templated or len(last) > _START)):
        return True
    return templated and any(_ends_in(text, turn) for turn in turns)


def _ends_in(text: str, turn: str) -> bool:
    at = text.rfind(turn[:_START]) if len(turn) > _START else -1
    return at >= 0 and turn.startswith(text[at:])


def _same(reference: str, target: str) -> bool:
    """Whether both are one text but for white space, and that one was cut."""
    own, other = _flat(reference), _flat(target)
    return own == other or (len(own) >= _CUT and other.startswith(own))


def _flat(text: str) -> str:
    return " ".join(text.split())
