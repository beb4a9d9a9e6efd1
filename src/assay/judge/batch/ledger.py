"""What a run remembers of its batches, in a file beside the log of its verdicts, so that a run that
was killed takes them up again.

A file of requests is noted before a batch is made of it, and the batch once it is: what a kill
leaves between the two, the endpoint's list of batches tells. A run that is kept in a store has the
note there before the batch is made: the disk of a pod goes with the pod.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from assay import store
from assay.judge import contract
from assay.judge.contract import Chat
from assay.judge.dialect import Dialect
from assay.records import Verdict


@dataclass(frozen=True, kw_only=True)
class SentFile:
    """A file of `requests` (their names) that was sent to an endpoint at a time (seconds since the
    epoch), how it was `asked`, and the batch that was made of it ("": not known)."""

    file: str
    batch: str = ""
    endpoint: str = ""
    requests: tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0

    @property
    def dialect(self) -> Dialect:
        """How the requests were written."""
        return Dialect(**self.asked)


class Ledger:
    """The batches of one log. Raises InputError where the file is none of batches."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self._path, self._endpoint = path, endpoint
        self._files: dict[str, SentFile] = {}
        self._places: dict[str, str] = {}
        for row in store.read_rows(path, SentFile) if path.exists() else ():
            self._enter(row)

    @property
    def count(self) -> int:
        """How many requests went by batch so far."""
        return len(self._places)

    def sent(self, name: str) -> SentFile | None:
        """Return the file that a request went in, None where it was not sent."""
        file = self._places.get(name)
        return self._files[file] if file else None

    def of(self, file: str) -> SentFile:
        """Return a file that was sent by its id."""
        return self._files[file]

    def note_file(self, file: str, requests: Sequence[str], dialect: Dialect) -> SentFile:
        """Note that a file of requests was sent. Raises StoreError where that cannot be kept."""
        asked, at = asdict(dialect), time.time()
        row = SentFile(
            file=file, endpoint=self._endpoint, requests=tuple(requests), asked=asked, at=at
        )
        sent = self._note(row)
        store.keep_now(self._path)
        return sent

    def note_batch(self, file: str, batch: str) -> SentFile:
        """Note that a batch was made of a file."""
        return self._note(SentFile(file=file, batch=batch, endpoint=self._endpoint))

    def _note(self, row: SentFile) -> SentFile:
        with store.appending(self._path) as log:
            store.append(log, row)
        self._enter(row)
        return self._files[row.file]

    def _enter(self, row: SentFile) -> None:
        if row.endpoint != self._endpoint:
            return
        before = self._files.get(row.file, row)
        self._files[row.file] = replace(before, batch=row.batch or before.batch)
        self._places |= dict.fromkeys(row.requests, row.file)


class RequestNames:
    """The names of requests: the same one whenever the same is asked for the same verdict, until
    that stands in the log; another one for each repeat and each time that it is asked again."""

    def __init__(self, log: Path) -> None:
        rows = store.read_rows(log, Verdict) if log.exists() else ()
        self._tried = Counter(_bare(row.key) for row in rows if row.attempts)
        self._asked = Counter[str]()

    def next(self, key: str, chat: Chat) -> str:
        """Return the name of the next request with these messages for the verdict of this key."""
        bare = _bare(key)
        parts = [bare, self._tried[bare], contract.without_fence(chat)]
        digest = hashlib.sha256(store.to_json(parts)).hexdigest()[:40]
        self._asked[digest] += 1
        return f"{digest}-{self._asked[digest]}"


def _bare(key: str) -> str:
    return key.partition(" ")[0]  # what the endpoint refused may be found out in between
