"""What a row is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from assay import store
from assay.dataset.convert import Conversation
from assay.errors import DatasetError
from assay.records import Sample

MAX_ID = 200


def given_id(row: object) -> str:
    """Return the row's own id, text or a whole number, or "" where it has none. Where a column
    lacks some, tables make 7.0 of 7."""
    value = row.get("id") if isinstance(row, Mapping) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value)


def check_id(name: str) -> None:
    """Raise DatasetError, without place, where an id would not show as one line."""
    if len(name) > MAX_ID or not name.isprintable():
        raise DatasetError(
            "its id is no name", f"Use one line of at most {MAX_ID} printable characters"
        )


def content_id(conversation: Conversation) -> str:
    """Return 16 hex digits of the sha256 over the whole conversation."""
    turns = [(turn.role, turn.content) for turn in conversation.turns]
    content = json.dumps([conversation.system, conversation.tools, turns])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def hash_samples(samples: Iterable[Sample]) -> str:
    """Return the sha256 of what is asked and what is wanted (store.hash_rows).

    Clusters and tags are no part of it: they say how answers are counted, not what was answered, so
    that predictions, and runs of a history, stay comparable where only these are others.
    """
    return store.hash_rows(
        {name: value for name, value in vars(sample).items() if name not in ("cluster", "tags")}
        for sample in samples
    )


def shown(text: str, most: int) -> str:
    """The first `most` characters, with those that are not seen written as their numbers."""
    return "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}"
        for character in text[:most]
    )
