"""Rows of other tasks: images, video and audio, verdicts on an answer (KTO), and ranking.

A dataset_info.json says which columns hold them. Where there is none, LLaMA-Factory's own names
do, and a row that uses them is refused: read as text, it would be another sample than it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.dataset.layout import ROLES
from assay.dataset.validity import ANSWERS, show
from assay.errors import DatasetError

_MEDIA = ("image", "video", "audio")
# what the better and the worse answer are called in the datasets that rank them
_RANKED = (
    ("chosen", "rejected"),
    ("accepted", "rejected"),
    ("response_chosen", "response_rejected"),
    ("chosen_response", "rejected_response"),
    ("response_j", "response_k"),
    ("response_a", "response_b"),
    ("response_0", "response_1"),
)
_DESCRIBE = "describe the columns that hold the conversation in a dataset_info.json"


def unsupported(row: Mapping[str, Any], source: str) -> DatasetError | None:
    """Return why a row of the file `source` that no dataset_info.json describes is none of text
    with one answer, without its place, or None where nothing says so."""
    return _media(row) or _verdict(row, source) or _ranking(row)


def _media(row: Mapping[str, Any]) -> DatasetError | None:
    """A column of one image (LLaVA's name for it) counts where the text has a place for it: it
    may hold anything else."""
    for part in (row, *_turns(row)):
        for kind in _MEDIA:
            for column in (f"{kind}s", kind):
                value = part.get(column)
                if _holds(value) and (
                    column != kind or _is_file(value) or _mentions(row, f"<{kind}>")
                ):
                    return DatasetError(
                        f"{column} is {show(value)}: samples are text with one answer",
                        "Name a text dataset, or remove the column where the text alone is meant",
                    )
    return None


def _turns(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    turns = row.get("messages") or row.get("conversations")
    return [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []


def _is_file(value: object) -> bool:
    """Whether it is an image, or the like, as the datasets library holds one in a column."""
    return isinstance(value, bytes) or (
        isinstance(value, Mapping) and {"bytes", "path"} >= set(value) > set()
    )


def _holds(value: object) -> bool:
    """Whether there is anything in it; in csv an empty list is text."""
    values = value if isinstance(value, list) else [value]
    return any(item not in (None, "", "[]", []) for item in values)


def _mentions(row: Mapping[str, Any], mark: str) -> bool:
    return mark in json.dumps(row, default=repr)


def _verdict(row: Mapping[str, Any], source: str) -> DatasetError | None:
    """Of a label only true and false are a verdict (in csv their words), text and numbers are
    classes; the other column has no other meaning."""
    for column in ("label", "kto_tag"):
        value = row.get(column)
        words = source.lower().endswith(".csv") and str(value).lower() in ("true", "false")
        if isinstance(value, bool) or words or (column == "kto_tag" and value not in (None, "")):
            return DatasetError(
                f"{column} is {show(value)}: verdicts on answers (KTO) are not supported, and a "
                "rejected answer is no target",
                f"Name a dataset of good answers; where {column} is something else, rename it, or "
                f"{_DESCRIBE}",
            )
    return None


def _ranking(row: Mapping[str, Any]) -> DatasetError | None:
    """Two answers beside one that is the row's own are left alone."""
    if _has_answer(row):
        return None
    output = row.get("output")
    if isinstance(output, list) and len(output) > 1 and all(isinstance(o, str) for o in output):
        return _ranked(f"output has {len(output)} answers: it is ranking data", "the best of them")
    for names in _RANKED:
        if all(row.get(name) and isinstance(row[name], str | list | Mapping) for name in names):
            told = f"{' and '.join(names)} are ranking data"
            return _ranked(f"{told}, and the row has no answer of its own", "the answer")
    return None


def _ranked(what: str, which: str) -> DatasetError:
    return DatasetError(what, f"Name a dataset with one answer a row, or {_DESCRIBE}, and {which}")


def _has_answer(row: Mapping[str, Any]) -> bool:
    turns = row.get("conversations") or row.get("messages")
    if not isinstance(turns, list) or not turns:
        return bool(row.get("output")) and not isinstance(row["output"], list)
    last = turns[-1]
    role = last.get("from") or last.get("role") if isinstance(last, Mapping) else None
    return isinstance(role, str) and ROLES.get(role) in ANSWERS
