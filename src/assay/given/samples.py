"""The rows of a file of answers -> the samples that they answer, where no other data is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assay.dataset.column import NamedColumn, TagColumn
from assay.dataset.naming import content_id
from assay.dataset.reading import RowOrigin, SourceReading
from assay.dataset.settings import DatasetSettings
from assay.given.reading import GivenFile
from assay.given.rows import GivenRow
from assay.records import Message, Sample


def of_rows(file: GivenFile) -> list[Sample | None]:
    """Return a sample for each row, None for one that cannot be used."""
    seen = Counter[str]()
    return [_sample(row, seen) for row in file.rows]


def as_data(
    file: GivenFile, samples: Sequence[Sample | None], settings: DatasetSettings
) -> SourceReading:
    """Return the `samples` of a file's rows as a dataset is read. Raises DatasetError where a row
    has no value in the column of the clusters, or one that is no tag in those of tags."""
    column = NamedColumn(settings.cluster) if settings.cluster else None
    tellers = tuple(map(TagColumn, dict.fromkeys(settings.tags)))
    used = [
        (number, row, sample)
        for number, (row, sample) in enumerate(zip(file.rows, samples, strict=True), 1)
        if sample
    ]
    origins = {
        sample.id: RowOrigin(
            row=number,
            group=column.value(row.value, row.place) if column else "",
            tags=_tags(row, tellers),
        )
        for number, row, sample in used
    }
    names = {str(name) for row in file.rows for name in row.value}
    for each in (column, *tellers):
        if each:
            each.check(file.source, names, str)
    return SourceReading(
        format=file.columns.format,
        rows=len(file.rows),
        invalid=tuple(file.faults),
        samples=[sample for _, _, sample in used],
        places=[row.place for _, row, _ in used],
        origins=origins,
    )


def _tags(row: GivenRow, columns: Sequence[TagColumn]) -> tuple[tuple[str, str], ...]:
    each = ((column.name, column.value(row.value, row.place)) for column in columns)
    return tuple(tag for tag in each if tag[1])


def _sample(row: GivenRow, seen: Counter[str]) -> Sample | None:
    if row.conversation is None or row.fault:
        return None
    name = row.id or content_id(row.conversation)
    seen[name] += 1
    system = row.conversation.system
    turns = row.conversation.turns[:-1]
    return Sample(
        id=name if seen[name] == 1 else f"{name}-{seen[name]}",
        messages=(Message(role="system", content=system), *turns) if system else turns,
        target=row.reference if row.reference.strip() else "",
        tools=row.conversation.tools,
    )
