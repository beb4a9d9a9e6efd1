"""The two forms of a batch's files, a JSON object a line: requests, and answers by their names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from assay import store

MEGABYTE = 1_000_000
EXPIRED = "batch_expired"  # the code of a request whose turn did not come
CANCELLED = "batch_cancelled"
_NO_ANSWER = (EXPIRED, CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Line:
    """The answer to one request: its HTTP status, its body, and whether it `failed`, so that
    nothing is paid for it."""

    status: int
    content: bytes
    failed: bool = False


def request(name: str, path: str, body: Mapping[str, Any]) -> bytes:
    """Return the line of one request to `path`."""
    row = {"custom_id": name, "method": "POST", "url": path, "body": body}
    return store.to_json(row) + b"\n"


def parts(lines: Sequence[bytes], most: int, megabytes: float) -> Iterator[range]:
    """Yield which of the lines go together, so that no file has more than `most` of them, or is
    larger than so many megabytes."""
    begin, size = 0, 0
    for number, line in enumerate(lines):
        if number > begin and (number - begin == most or size + len(line) > megabytes * MEGABYTE):
            yield range(begin, number)
            begin, size = number, 0
        size += len(line)
    if lines:
        yield range(begin, len(lines))


class AnswerLines(Mapping[str, Line]):
    """Lines by the names of their requests, the first of each; they wait in a temporary file."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._shelf = store.Shelf()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __getitem__(self, name: str) -> Line:
        status, content, failed = self._shelf[self._places[name]]
        return Line(status=status, content=content, failed=failed)

    def add(self, name: str, line: Line) -> None:
        """Take in a line, unless there is one of its name."""
        if name not in self._places:
            self._places[name] = len(self._shelf)
            self._shelf.add((int(line.status), line.content, line.failed))


def answers(contents: Iterable[bytes]) -> AnswerLines:
    """Return the answers in files, by the names of their requests; what cannot be read, and what
    only says that no turn came, is none."""
    found = AnswerLines()
    for content in contents:
        for written in content.splitlines():
            row = _row(written)
            line = _line(row) if row else None
            if line and isinstance(row.get("custom_id"), str):
                found.add(row["custom_id"], line)
    return found


def _row(written: bytes) -> dict[str, Any]:
    try:
        row = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _line(row: Mapping[str, Any]) -> Line | None:
    answer, error = row.get("response"), row.get("error")
    if isinstance(answer, Mapping) and answer.get("body") is not None:
        body, status = answer["body"], answer.get("status_code")
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        status = status if isinstance(status, int) else HTTPStatus.OK
        return Line(status=status, content=content, failed=status >= HTTPStatus.BAD_REQUEST)
    if not error or (isinstance(error, Mapping) and error.get("code") in _NO_ANSWER):
        return None
    # as within HTTP 200: the code that it has counts as the status
    content = json.dumps({"error": error}).encode()
    return Line(status=HTTPStatus.OK, content=content, failed=True)
