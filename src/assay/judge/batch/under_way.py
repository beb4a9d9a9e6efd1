"""The batches that are under way: looked at until they have ended, and their answers fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from assay import progress
from assay.errors import StageError
from assay.judge.batch import lines
from assay.judge.batch.api import BatchApi
from assay.judge.batch.ledger import Ledger, SentFile
from assay.judge.batch.lines import Line
from assay.judge.batch.objects import GONE, Batch
from assay.judge.causes import NOT_FOUND
from assay.judge.outcome import CallError

FIRST_LOOK_S, LONGEST_LOOK_S, SLOWER = 1.0, 60.0, 1.5
_SAME = "Run the same command again: it takes the batches up, and pays for nothing twice"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A batch that has ended: how, and the answers by the names of their requests; whether it was
    `ours`, made by this process rather than taken up."""

    batch: Batch
    lines: Mapping[str, Line]
    ours: bool


class UnderWay:
    """The batches of one ledger, inside one event loop; `tell` is told how they stand. They are
    waited for so many hours in all."""

    def __init__(
        self, api: BatchApi, ledger: Ledger, tell: Callable[[str], None], hours: float
    ) -> None:
        self._api, self._ledger, self._tell, self._hours = api, ledger, tell, hours
        self._tasks: dict[str, asyncio.Task[Ended]] = {}  # by the file of the requests
        self._made = set[str]()
        self._held = set[str]()
        self._end = time.monotonic() + hours * 3600

    async def close(self) -> None:
        """Look at none any more; they go on at the endpoint."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def create(self, file: str) -> SentFile:
        """Make a batch of a file that was sent. Raises CallError."""
        batch = await self._api.create(file)
        self._made.add(batch.id)
        return self._ledger.note_batch(file, batch.id)

    def followed(self, sent: SentFile) -> asyncio.Task[Ended]:
        """Return what becomes of a file's batch, which is looked at from now on."""
        if sent.file not in self._tasks:
            self._tasks[sent.file] = asyncio.create_task(self._follow(sent))
        return self._tasks[sent.file]

    async def _follow(self, sent: SentFile) -> Ended:
        batch = await self._ended(sent)
        while batch.full and batch.id in self._made:
            await self._room(sent.file, batch)
            with told("making a batch"):
                batch = await self._ended(await self.create(sent.file))
        ours = batch.id in self._made
        if ours and batch.status == "failed":
            raise StageError(f"Batch {batch.id} was refused: {batch.problem}", _remedy(batch))
        if ours and batch.status == GONE:
            raise StageError(f"The endpoint does not know its batch {batch.id} any more", _SAME)
        with told(f"reading the answers of {batch.id}"):
            files = await self._contents(batch, ours)
        return Ended(batch=batch, lines=lines.answers(files), ours=ours)

    async def _contents(self, batch: Batch, ours: bool) -> list[bytes]:
        contents = []
        for file in batch.answers:
            try:
                contents.append(await self._api.content(file))
            except CallError as error:
                if ours or error.cause != NOT_FOUND:
                    raise
        return contents

    async def _room(self, file: str, batch: Batch) -> None:
        """Wait until another batch has ended, where the endpoint takes no more at a time."""
        self._held.add(file)
        others = [
            task
            for other, task in self._tasks.items()
            if other not in self._held and not task.done()
        ]
        if not others:
            raise StageError(f"Batch {batch.id} was refused: {batch.problem}", _remedy(batch))
        self._tell(f"batch {batch.id} waits until another one has ended: {batch.problem}")
        await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        self._held.discard(file)

    async def _ended(self, sent: SentFile) -> Batch:
        """Return the batch of a file once it has ended; one that was never made is gone."""
        if not sent.batch:
            with told("looking for the batch of an earlier run"):
                found = await self._api.find(sent.file)
            if found is None:
                return Batch(id="", status=GONE)
            sent = self._ledger.note_batch(sent.file, found.id)
        wait = FIRST_LOOK_S
        while True:
            seen = await self._look(sent)
            if isinstance(seen, Batch):
                self._tell(_described(seen, sent))
                if seen.ended:
                    return seen
            left = self._end - time.monotonic()
            if left <= 0:
                raise self._too_long()
            asked = 0.0 if isinstance(seen, Batch) else seen
            await asyncio.sleep(min(max(wait, asked), left))
            wait = min(wait * SLOWER, LONGEST_LOOK_S)

    async def _look(self, sent: SentFile) -> Batch | float:
        """Return how a batch stands, or where the endpoint does not say now, how many seconds it
        asks to wait: its batches are looked at until `hours` are over, whatever keeps it."""
        with told(f"looking at {sent.batch}"):
            try:
                return await self._api.look(sent.batch)
            except CallError as error:
                if error.transient:
                    self._tell(f"batch {sent.batch}: {error.cause}: {error}")
                    return error.wait or 0.0
                if error.cause == NOT_FOUND:
                    return Batch(id=sent.batch, status=GONE)
                raise

    def _too_long(self) -> StageError:
        files = (file for file, task in self._tasks.items() if not task.done())
        batches = ", ".join(sent.batch for sent in map(self._ledger.of, files) if sent.batch)
        what = f"No end of {batches} within judge.batch_hours = {self._hours:g}"
        return StageError(what, _SAME)


def _described(batch: Batch, sent: SentFile) -> str:
    how = f"{batch.status}, " if batch.ended else ""
    done = f"{batch.done:,} of {batch.total or len(sent.requests):,} done"
    return f"batch {batch.id}: {how}{done}, {progress.clock(time.time() - sent.at)}"


def _remedy(batch: Batch) -> str:
    if batch.full:
        return (
            "Lower judge.batch_requests, so that a batch takes less of that limit, or wait until "
            "other batches of the account have ended; then run the same command again"
        )
    return "Correct what it names, or set judge.batch: false; then run the same command again"


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what an endpoint finally says into a StageError that says what was being done."""
    try:
        yield
    except CallError as error:
        raise StageError(
            f"The Batch API failed at {doing}: {error.cause}: {error}",
            f"Correct the cause. {_SAME}",
        ) from None
