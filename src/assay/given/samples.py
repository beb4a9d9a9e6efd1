"""The rows of a file of answers -> the samples that they answer, where no other data is named."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator

from assay.dataset.column import NamedColumn, TagColumn
from assay.dataset.naming import content_id
from assay.dataset.origins import Origins, origin_of
from assay.dataset.reading import SourceReading
from assay.dataset.settings import DatasetSettings
from assay.dataset.shelved import Computed, shelved
from assay.given.file import GivenFile
from assay.given.rows import GivenRow
from assay.records import Message, Sample


class OwnSamples(Computed[Sample | None]):
    """A sample for each row of a file, None for one that cannot be used; those that can are
    `used`, each of the row of that number in `rows`. One that lacks its answer alone asks all the
    same, unless another row of its id answers: a question without an answer counts as one."""

    def __init__(self, file: GivenFile) -> None:
        super().__init__(len(file.rows), self._at)
        self.rows, self._places, seen = array("q"), array("q"), Counter[str]()

        def usable() -> Iterator[Sample]:
            for number, row in enumerate(file.rows):
                again = row.silent and row.id and (row.id in file.rows.ids or seen[row.id])
                sample = None if again else _sample(row, seen)
                self._places.append(len(self.rows) if sample else -1)
                if sample:
                    self.rows.append(number)
                    yield sample

        self.used = shelved(usable())

    def _at(self, row: int) -> Sample | None:
        place = self._places[row]
        return self.used[place] if place >= 0 else None


def as_data(file: GivenFile, samples: OwnSamples, settings: DatasetSettings) -> SourceReading:
    """Return the `samples` of a file's rows as a dataset is read. Raises DatasetError where a row
    has no value in the column of the clusters, or one that is no tag in those of tags."""
    column = NamedColumn(settings.cluster) if settings.cluster else None
    tellers = tuple(map(TagColumn, dict.fromkeys(settings.tags)))
    raw, origins = file.rows.raw, Origins()
    for number, sample in zip(samples.rows, samples.used, strict=True):
        value = raw.value(number) if column or tellers else {}
        origin = origin_of(number + 1, value, raw.place(number), column, tellers)
        origins.add(sample.id, origin)
    for each in (column, *tellers):
        if each:
            each.check(file.source, raw.columns, str)
    return SourceReading(
        format=file.columns.format,
        rows=len(file.rows),
        invalid=tuple(file.faults_but(frozenset(samples.rows))),
        samples=samples.used,
        places=Computed(len(samples.rows), lambda at: raw.place(samples.rows[at])),
        origins=origins,
    )


def _sample(row: GivenRow, seen: Counter[str]) -> Sample | None:
    if row.conversation is None or (row.fault and not row.silent):
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
