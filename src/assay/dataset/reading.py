"""Sources -> samples, and what was found on the way."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay import store
from assay.dataset.column import NamedColumn, TagColumn
from assay.dataset.convert import Conversation, convert
from assay.dataset.layout import Layout, detect, unused
from assay.dataset.naming import check_id, content_id, given_id, shown
from assay.dataset.origins import Origins, RowOrigin, origin_of
from assay.dataset.remote import copied
from assay.dataset.rows import SourceRow
from assay.dataset.selection import draw
from assay.dataset.settings import Format
from assay.dataset.shelved import Computed, Shelved, packed
from assay.dataset.sources import Part, resolve
from assay.dataset.unsupported import unsupported
from assay.errors import DatasetError
from assay.records import Message, Sample

_SKIP = "or pass skip_invalid to leave such rows out"


@dataclass(frozen=True, kw_only=True)
class SourceReading:
    """What a source held: `format` of its rows, how many `rows`, one message for each row that
    was left out in `invalid`, a place ("file:row") for each of the `samples`, and the `origins` of
    these by id. `lacking` has how many rows each entry has whose num_samples asks for more, and
    how many it asks for. `unused` are the columns that nothing was taken from."""

    format: str
    rows: int
    invalid: tuple[str, ...]
    samples: Sequence[Sample]
    places: Sequence[str]
    origins: Mapping[str, RowOrigin]
    lacking: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def load(
    source: str,
    *,
    format: Format = "auto",  # noqa: A002 - the word that users know
    every_turn: bool = False,
    skip_invalid: bool = False,
    seed: int = 42,
) -> list[Sample]:
    """Return the samples in `source`: a file or folder of json, jsonl, csv, parquet or arrow,
    "folder#name" for an entry of its dataset_info.json, both also as s3:// and minio://, or
    hf://owner/name[/subset][:split] on the Hugging Face hub.

    Each sample is a conversation up to its last assistant turn, which is the target; with
    `every_turn` there is one for each assistant turn. Raises DatasetError for the first row that
    cannot be used, unless `skip_invalid`; `seed` draws an entry's own num_samples.
    """
    reading = read(
        source, format=format, every_turn=every_turn, skip_invalid=skip_invalid, seed=seed
    )
    return list(reading.samples)


def read(
    source: str,
    *,
    format: Format = "auto",  # noqa: A002 - the word that users know
    every_turn: bool = False,
    skip_invalid: bool = False,
    seed: int = 42,
    cluster: str = "",
    tags: Sequence[str] = (),
    needs_target: bool = True,
) -> SourceReading:
    """Return the samples in `source` as `load` does, with what was found; rows without an
    answer are samples too, with the target "", unless one `needs_target`. Raises DatasetError also
    where a usable row has no value in the column `cluster`, or one that is no tag in those that
    `tags` names: it is not left out for that."""
    column = NamedColumn(cluster) if cluster else None
    tellers = tuple(map(TagColumn, dict.fromkeys(tags)))
    reader = _Reader(
        stated=format,
        every_turn=every_turn,
        skip_invalid=skip_invalid,
        column=column,
        tags=tellers,
    )
    reader.needs_target = needs_target
    with copied(source) as (local, named):
        for part in resolve(local):
            reader.read(part, seed)
        if not reader.kept:
            raise DatasetError(f"{source} has no usable row", reader.first_fault())
        for each in (column, *tellers):
            if each:
                each.check(source, reader.columns, named)
    return SourceReading(
        format=", ".join(dict.fromkeys(reader.formats)),
        rows=reader.rows,
        invalid=tuple(map(named, reader.invalid)),
        samples=Shelved(reader.shelf, reader.kept),
        places=Computed(len(reader.kept), lambda at: named(reader.place(at))),
        origins=reader.origins,
        lacking={named(name): counts for name, counts in reader.lacking.items()},
        unused=tuple(sorted(reader.unused - {cluster, *tags})),
    )


class _Reader:
    """Gathers the samples of several parts; ids are unique over all of them."""

    def __init__(
        self,
        *,
        stated: Format,
        every_turn: bool,
        skip_invalid: bool,
        column: NamedColumn | None,
        tags: Sequence[TagColumn],
    ) -> None:
        self.stated = stated
        self.every_turn = every_turn
        self.skip_invalid = skip_invalid
        self.column = column
        self.tags = tags
        self.entry = ""
        self.columns: set[str] = set()
        self.unused: set[str] = set()
        self.rows = 0
        self.formats: list[str] = []
        self.invalid: list[str] = []
        self.remedy = ""
        self.shelf, self.kept = store.Shelf(), array("q")
        self.files: list[str] = []
        self.lines, self.of_file = array("q"), array("q")  # of each sample on the shelf
        self.origins = Origins(turns=every_turn)
        self.again = Counter[str]()  # names that several rows have
        self.lacking: dict[str, tuple[int, int]] = {}
        self.needs_target = True

    def read(self, part: Part, seed: int) -> None:
        """Add the samples of `part`."""
        first = len(self.kept)
        layout, columns, self.entry = part.layout, set[str](), part.entry
        if layout and self.stated not in ("auto", layout.format):
            raise DatasetError(
                f"{part.name} is of format {layout.format}, not {self.stated}", "Leave format out"
            )
        for row in part.rows():
            self.rows += 1
            if isinstance(row.value, Mapping):
                layout = layout or self._detect(row.value, row)
                columns.update(map(str, row.value))
            self._add(row, layout, described=part.layout is not None)
        if layout:
            self.formats.append(layout.format)
            _check_columns(part, layout, columns)
            self.unused |= unused(layout, columns)
        self.columns |= columns
        if part.num_samples:
            self._limit(first, part, seed)

    def place(self, at: int) -> str:
        """Return the place of one of the samples that are kept."""
        at = self.kept[at]
        return f"{self.files[self.of_file[at]]}:{self.lines[at]}"

    def first_fault(self) -> str:
        """Return the remedy where nothing was usable."""
        if not self.invalid:
            return "Add one"
        return f"The first of {len(self.invalid)}: {self.invalid[0]}. {self.remedy}"

    def _detect(self, row: Mapping[str, object], place: SourceRow) -> Layout:
        layout = detect(row, self.stated)
        if layout is None and (error := unsupported(row, place.source)):
            raise DatasetError(f"{_place(place)}: {error.what}", error.remedy)
        if layout is None:
            names = shown(", ".join(map(str, row)), 200) or "none"
            raise DatasetError(
                f"{_place(place)}: its columns, {names}, are neither alpaca nor sharegpt",
                "Rename them to instruction and output, or to conversations, or describe them "
                "in a dataset_info.json and name it as FOLDER#NAME",
            )
        return layout

    def _add(self, row: SourceRow, layout: Layout | None, *, described: bool) -> None:
        try:
            if row.fault:
                raise DatasetError(row.fault, "Correct or remove the line")
            if isinstance(row.value, Mapping) and not described:
                _check_task(row.value, row.source)
            conversation = convert(
                row.value, layout or Layout(format="alpaca"), needs_target=self.needs_target
            )
            name, again = self._name(row, conversation)
        except DatasetError as error:
            self._refuse(row, error)
        else:
            self.origins.add(name, self._origin(row), again=again)
            for sample in self._samples(name, conversation):
                self._keep(row, sample)

    def _keep(self, row: SourceRow, sample: Sample) -> None:
        self.kept.append(len(self.shelf))
        self.shelf.add(packed(sample))
        self.lines.append(row.number)
        if row.source not in self.files[-1:]:
            self.files.append(row.source)
        self.of_file.append(len(self.files) - 1)

    def _origin(self, row: SourceRow) -> RowOrigin:
        value = row.value if isinstance(row.value, Mapping) else {}
        return origin_of(self.rows, value, _place(row), self.column, self.tags, self.entry)

    def _refuse(self, row: SourceRow, error: DatasetError) -> None:
        name = given_id(row.value)
        place = f"{_place(row)}, id={shown(name, 80)}" if name else _place(row)
        located = DatasetError(f"{place}: {error.what}", f"{error.remedy}, {_SKIP}")
        if not self.skip_invalid:
            raise located from None
        self.remedy = self.remedy or error.remedy
        self.invalid.append(located.what)

    def _samples(self, name: str, conversation: Conversation) -> list[Sample]:
        ends = range(1, len(conversation.turns), 2)
        if not self.every_turn:
            return [_sample(name, conversation, ends[-1])]
        names = [f"{name}:{number}" for number in range(1, len(ends) + 1)]
        return [_sample(id_, conversation, end) for id_, end in zip(names, ends, strict=True)]

    def _name(self, row: SourceRow, conversation: Conversation) -> tuple[str, bool]:
        """Return the name of a row, and whether another one says the same."""
        given = given_id(row.value)
        check_id(given)
        name = given or content_id(conversation)
        if not self.origins.has(name):
            return name, False
        if given:
            raise DatasetError("another row has the same id", "Give each row its own id, or none")
        self.again[name] += 1
        return f"{name}-{self.again[name] + 1}", True

    def _limit(self, first: int, part: Part, seed: int) -> None:
        limit, there = part.num_samples, len(self.kept) - first
        if there < limit:
            self.lacking[part.name] = there, limit
        samples = Shelved(self.shelf, self.kept[first:])
        kept = draw([sample.id for sample in samples], limit, seed)
        self.kept[first:] = array("q", [self.kept[first + index] for index in kept])


def _sample(name: str, conversation: Conversation, end: int) -> Sample:
    system = [Message(role="system", content=conversation.system)] if conversation.system else []
    target = conversation.turns[end]
    return Sample(
        id=name,
        messages=(*system, *conversation.turns[:end]),
        target=target.content,
        target_role="function_call" if target.role == "function_call" else "assistant",
        tools=conversation.tools,
    )


def _check_task(row: Mapping[str, Any], source: str) -> None:
    if error := unsupported(row, source):
        raise error


def _place(row: SourceRow) -> str:
    return f"{row.source}:{row.number}"


def _check_columns(part: Part, layout: Layout, columns: set[str]) -> None:
    missing = [name for name in layout.columns if name not in columns]
    if part.layout and missing:
        raise DatasetError(
            f"{part.name}: no row has a column {missing[0]!r}",
            f"Name one of {', '.join(sorted(columns))}",
        )
