"""What the Batch API says of a file and of a batch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.judge.outcome import CallError
from assay.judge.refusal import MOST_TOLD
from assay.settings import redacted
from assay.text import one_line

GONE = "gone"  # the endpoint does not know it any more
_ENDED = {"completed", "failed", "expired", "cancelled", GONE}
_FULL = re.compile(r"token_limit|enqueued|limit_exceeded|too_many_batches", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch as the endpoint has it: its id and status, the file of its requests and those of its
    answers, how many requests are done, and what is wrong with it."""

    id: str
    status: str
    file: str = ""
    answers: tuple[str, ...] = ()
    done: int = 0
    total: int = 0
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED

    @property
    def full(self) -> bool:
        """Whether it was not begun because others have to end first."""
        return self.status == "failed" and bool(_FULL.search(self.problem))


def batch_of(row: Mapping[str, Any]) -> Batch:
    """Return a batch from its object. Raises CallError."""
    counts = row.get("request_counts")
    counts = counts if isinstance(counts, Mapping) else {}
    return Batch(
        id=id_of(row),
        status=str(row.get("status") or "").lower().replace("canceled", "cancelled"),
        file=str(row.get("input_file_id") or ""),
        answers=tuple(
            str(row[name]) for name in ("output_file_id", "error_file_id") if row.get(name)
        ),
        done=_count(counts, "completed") + _count(counts, "failed"),
        total=_count(counts, "total"),
        problem=_problem(row.get("errors")),
    )


def _problem(errors: object) -> str:
    """Return the first things that are wrong with a batch, each with its line in the file."""
    rows = errors.get("data") if isinstance(errors, Mapping) else errors
    told = []
    for row in rows[:3] if isinstance(rows, list) else ():
        each = row if isinstance(row, Mapping) else {"message": row}
        line = f"line {each['line']}" if each.get("line") else ""
        words = (line, each.get("code"), each.get("message"))
        told.append(": ".join(str(word) for word in words if word))
    return one_line(redacted("; ".join(told)))[:MOST_TOLD]


def object_of(content: bytes) -> Mapping[str, Any]:
    """Return the object that a body is. Raises CallError."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        start = redacted(content[:2000].decode(errors="replace").strip())[:60]
        raise CallError("rejected", f"it answered {start!r}, which is none of a Batch API")
    return value


def id_of(row: Mapping[str, Any]) -> str:
    """Return the id of a file or batch, which becomes part of an address. Raises
    CallError."""
    id_ = row.get("id")
    if not isinstance(id_, str) or not re.fullmatch(r"[\w.:-]{1,200}", id_):
        raise CallError("rejected", "it gave a file or a batch no id")
    return id_


def _count(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    return value if isinstance(value, int) else 0
