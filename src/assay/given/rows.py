"""One row of a file of answers, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assay.dataset.convert import Conversation, convert
from assay.dataset.layout import Layout, detect
from assay.dataset.naming import check_id, given_id, shown
from assay.dataset.rows import SourceRow
from assay.dataset.validity import check_text, show
from assay.errors import DatasetError
from assay.given.columns import Columns
from assay.given.thought import Thoughts

NO_REFERENCE = "-"
"""Stands where a conversation has to end with what is wanted, and that is not known."""
_TURNS = ("messages", "conversations")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What each row must have: a prompt where the samples are made of the rows, and a reference
    where then a metric compares with it, `comparing`, "" for none; and how its `thoughts` are
    written."""

    prompt: bool = False
    comparing: str = ""
    thoughts: Thoughts = field(default_factory=Thoughts)


@dataclass(frozen=True, kw_only=True)
class GivenRow:
    """One row at `place`: what was asked and is wanted as a `conversation`, None where the file has
    no prompts, the `reference` ("" for none) and the `output`; or its `fault`, and the `name` that
    it has all the same. `begun` says that the prompt ends with the mark that opens a thought, and
    `silent` that the fault is to have no answer: all else is there."""

    place: str
    name: str = ""
    id: str = ""
    output: str = ""
    reference: str = ""
    conversation: Conversation | None = None
    begun: bool = False
    fault: DatasetError | None = None
    silent: bool = False

    @property
    def told(self) -> str:
        """Where the row is, and its id."""
        name = self.id or self.name
        return f"{self.place}, id={shown(name, 80)}" if name else self.place


def row_of(row: SourceRow, place: str, columns: Columns, needs: Needs) -> GivenRow:
    """Return the row at `place`, with what is wrong with it."""
    try:
        if row.fault:
            raise DatasetError(row.fault, "Correct or remove the line")
        if not isinstance(row.value, Mapping):
            raise DatasetError(f"the row is {show(row.value)}, not an object", "Write columns")
        return _parsed(row.value, place, columns, needs)
    except DatasetError as error:
        return GivenRow(place=place, fault=error)


def _parsed(value: Mapping[str, Any], place: str, columns: Columns, needs: Needs) -> GivenRow:
    name = _id(value.get(columns.id)) if columns.id else ""
    silent = value.get(columns.output) is None
    output = _text(value, columns.output)
    reference = _text(value, columns.reference) if columns.reference else ""
    if columns.templated:
        reference = reference.rstrip("\n")  # which the template writes behind an answer
    if needs.comparing and not reference.strip():
        raise DatasetError(
            f"it has no reference, which {needs.comparing} compares with",
            "Write it as reference, or set metrics.metrics to what compares with none",
        )
    row = GivenRow(
        place=place,
        id=name,
        output=output,
        reference=reference,
        conversation=_conversation(value, columns, reference) if columns.prompt else None,
        fault=_no_answer(columns) if silent else None,
        silent=silent,
    )
    return replace(row, begun=prompt_of(row).rstrip().endswith(needs.thoughts.opening))


def _no_answer(columns: Columns) -> DatasetError:
    return DatasetError(f"it has no answer: {columns.output} is missing", "Write the answer")


def _id(value: object) -> str:
    """Return the id that a cell holds, "" for an empty one. Raises DatasetError for what is no
    id: the row would be taken by its place."""
    name = given_id({"id": value})
    empty = value is None or value == "" or (isinstance(value, float) and math.isnan(value))
    if not name and not empty:
        raise DatasetError(f"its id is {show(value)}", "Write it as text or a whole number")
    check_id(name)
    return name


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise DatasetError(f"{name} is {show(text)}, not text", f"Write {name} as text")
    check_text([text])
    return text


def _conversation(value: Mapping[str, Any], columns: Columns, reference: str) -> Conversation:
    """Return the row as one of a dataset, which ends with what is wanted."""
    wanted = reference if reference.strip() else NO_REFERENCE
    name, *more = columns.prompt
    turns = value.get(name)
    if name.strip().lower() in _TURNS:
        if not isinstance(turns, list) or not turns:
            raise DatasetError(f"{name} is {show(turns)}, not a list", "Write a list of messages")
        layout = detect({"messages": turns}, "auto")
        assert layout  # noqa: S101  messages have one
        last = {layout.role_tag: "assistant", layout.content_tag: wanted}
        return convert({**value, "messages": [*turns, last]}, layout)
    layout = Layout(format="alpaca", prompt=name, query=more[0] if more else "", response="wanted")
    return convert({**value, "wanted": wanted}, layout)


def prompt_of(row: GivenRow) -> str:
    """Return the turn that a row answers, "" where the file has no prompts."""
    return row.conversation.turns[-2].content if row.conversation else ""
