"""Requests that go by batch: all that wait leave together, and each comes back to who waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import progress
from assay.errors import StageError
from assay.folder import BATCHES
from assay.judge.batch import lines
from assay.judge.batch.api import GONE, Batch, BatchApi, check
from assay.judge.batch.ledger import Ledger, RequestNames, SentFile
from assay.judge.batch.lines import Line
from assay.judge.bill import Bill
from assay.judge.causes import NOT_FOUND
from assay.judge.contract import Chat
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError, Reply

QUIET_S = 0.5  # what waits leaves once nothing has come after it for so long
FIRST_LOOK_S, LONGEST_LOOK_S, SLOWER = 1.0, 60.0, 1.5
# of so many requests that went by batch one may be asked directly, where to wait again, for hours,
# would be for few
A_FEW = 10
_SAME = "Run the same command again: it takes the batches up, and pays for nothing twice"

Directly = Callable[[], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A request that is to leave, and where it is told with what: None for directly."""

    name: str
    chat: Chat
    schema: Mapping[str, Any]
    left: asyncio.Future[asyncio.Task[Ended] | None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A batch that has ended: how, and the answers by the names of their requests; whether it was
    `ours`, made by this process rather than taken up."""

    batch: Batch
    lines: Mapping[str, Line]
    ours: bool


class Batches:
    """The batches that the verdicts of one log go in, inside one event loop; `tell` is told how
    they stand."""

    def __init__(self, endpoint: Endpoint, log: Path, tell: Callable[[str], None]) -> None:
        self._endpoint, self._settings, self._tell = endpoint, endpoint.settings, tell
        self._api = BatchApi(endpoint, self._settings.retries)
        self._ledger = Ledger(log.with_name(BATCHES), self._settings.endpoint.rstrip("/"))
        self._names = RequestNames(log)
        self._waiting: list[Waiting] = []
        self._leave: asyncio.TimerHandle | None = None
        self._first, self._checked = asyncio.Lock(), False
        self._leaving = set[asyncio.Task[None]]()
        self._under_way: dict[str, asyncio.Task[Ended]] = {}  # by the file of the requests
        self._made = set[str]()
        self._held = set[str]()
        self._end = time.monotonic() + self._settings.batch_hours * 3600

    async def ask(
        self, chat: Chat, schema: Mapping[str, Any], bill: Bill, directly: Directly
    ) -> Reply:
        """Return the reply to one request, by batch or where that suits better `directly`. Raises
        CallError, and StageError where the batch brings none."""
        while True:
            name = self._names.next(bill.key, chat)
            sent = self._ledger.sent(name)
            if not sent and (reply := await self._first_reply(directly)):
                return reply
            batch = self._followed(sent) if sent else await self._queued(name, chat, schema)
            if batch is None:
                return await directly()
            ended = await asyncio.shield(batch)
            reply = self._reply(name, ended, chat, schema, bill)
            if reply:
                return reply

    async def _first_reply(self, directly: Directly) -> Reply | None:
        """Find out how the endpoint wants to be asked before a batch is paid for: the first request
        of all goes directly, after a look at whether there is a Batch API; None for the others."""
        async with self._first:
            if not self._checked:
                await check(self._endpoint, self._settings.retries)
                self._checked = True
            return None if self._endpoint.known else await directly()

    async def close(self) -> None:
        """Wait for nothing more; what is under way goes on at the endpoint."""
        if self._leave:
            self._leave.cancel()
        tasks = [*self._leaving, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reply(
        self, name: str, ended: Ended, chat: Chat, schema: Mapping[str, Any], bill: Bill
    ) -> Reply | None:
        """Return what a batch has brought, None where it is to be asked for again."""
        line, sent = ended.lines.get(name), self._ledger.sent(name)
        if line is None or sent is None:
            _check_unanswered(ended, bill)
            return None
        if line.failed and not ended.ours:
            return None  # its cause may be corrected by now
        try:
            reply = self._endpoint.heard(line.status, line.content, sent.dialect, chat, schema)
        except CallError as error:
            bill.attempts += 1
            bill.add(error.tokens, by_batch=True)
            raise
        if reply:  # what is refused is not paid, as of what is asked directly
            bill.attempts += 1
            bill.add(reply.tokens, by_batch=True)
        return reply

    async def _queued(
        self, name: str, chat: Chat, schema: Mapping[str, Any]
    ) -> asyncio.Task[Ended] | None:
        loop = asyncio.get_running_loop()
        waiting = Waiting(name=name, chat=chat, schema=schema, left=loop.create_future())
        self._waiting.append(waiting)
        if self._leave:
            self._leave.cancel()
        self._leave = loop.call_later(QUIET_S, self._let_leave)
        return await waiting.left

    def _let_leave(self) -> None:
        together, self._waiting = self._waiting, []
        if len(together) * A_FEW <= self._ledger.count:
            for waiting in together:
                _tell(waiting.left, None)
            return
        task = asyncio.create_task(self._send(together))
        self._leaving.add(task)
        task.add_done_callback(lambda done: self._has_left(done, together))

    def _has_left(self, task: asyncio.Task[None], together: Sequence[Waiting]) -> None:
        self._leaving.discard(task)
        error = None if task.cancelled() else task.exception()
        for waiting in together if error else ():
            if error and not waiting.left.done():
                waiting.left.set_exception(error)

    async def _send(self, together: Sequence[Waiting]) -> None:
        dialect = replace(self._endpoint.dialect, stream=False)
        bodies = (self._endpoint.body(dialect, each.chat, each.schema) for each in together)
        written = [
            lines.request(each.name, self._api.path, body)
            for each, body in zip(together, bodies, strict=True)
        ]
        most, megabytes = self._settings.batch_requests, self._settings.batch_megabytes
        for part in lines.parts(written, most, megabytes):
            self._tell(f"sending a batch of {len(part):,} requests")
            content = b"".join(written[number] for number in part)
            names = [together[number].name for number in part]
            with _told("sending a batch"):
                file = await self._api.upload(content)
                self._ledger.note_file(file, names, dialect)
                sent = await self._create(file)
            for number in part:
                _tell(together[number].left, self._followed(sent))

    async def _create(self, file: str) -> SentFile:
        batch = await self._api.create(file)
        self._made.add(batch.id)
        return self._ledger.note_batch(file, batch.id)

    def _followed(self, sent: SentFile) -> asyncio.Task[Ended]:
        """Return what becomes of a file's batch, which is looked at from now on."""
        if sent.file not in self._under_way:
            self._under_way[sent.file] = asyncio.create_task(self._follow(sent))
        return self._under_way[sent.file]

    async def _follow(self, sent: SentFile) -> Ended:
        batch = await self._ended(sent)
        while batch.full and batch.id in self._made:
            await self._room(sent.file, batch)
            with _told("making a batch"):
                batch = await self._ended(await self._create(sent.file))
        ours = batch.id in self._made
        if ours and batch.status == "failed":
            raise StageError(f"Batch {batch.id} was refused: {batch.problem}", _remedy(batch))
        if ours and batch.status == GONE:
            raise StageError(f"The endpoint does not know its batch {batch.id} any more", _SAME)
        with _told(f"reading the answers of {batch.id}"):
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
            for other, task in self._under_way.items()
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
            with _told("looking for the batch of an earlier run"):
                found = await self._api.find(sent.file)
            if found is None:
                return Batch(id="", status=GONE)
            sent = self._ledger.note_batch(sent.file, found.id)
        wait = FIRST_LOOK_S
        while True:
            batch = await self._look(sent)
            if batch and batch.ended:
                return batch
            if batch:
                waited = progress.clock(time.time() - sent.at)
                done = f"{batch.done:,} of {batch.total or len(sent.requests):,} done"
                self._tell(f"batch {batch.id}: {done}, {waited}")
            left = self._end - time.monotonic()
            if left <= 0:
                raise self._too_long()
            await asyncio.sleep(min(wait, left))
            wait = min(wait * SLOWER, LONGEST_LOOK_S)

    async def _look(self, sent: SentFile) -> Batch | None:
        """Return how a batch stands, None where the endpoint does not say now."""
        with _told(f"looking at {sent.batch}"):
            try:
                return await self._api.look(sent.batch)
            except CallError as error:
                if error.transient:
                    self._tell(f"batch {sent.batch}: {error.cause}: {error}")
                    return None
                if error.cause == NOT_FOUND:
                    return Batch(id=sent.batch, status=GONE)
                raise

    def _too_long(self) -> StageError:
        files = (file for file, task in self._under_way.items() if not task.done())
        batches = ", ".join(sent.batch for sent in map(self._ledger.of, files) if sent.batch)
        hours = self._settings.batch_hours
        return StageError(f"No end of {batches} within judge.batch_hours = {hours:g}", _SAME)


def _tell(
    left: asyncio.Future[asyncio.Task[Ended] | None], batch: asyncio.Task[Ended] | None
) -> None:
    if not left.done():
        left.set_result(batch)


def _check_unanswered(ended: Ended, bill: Bill) -> None:
    """Raise where a request without an answer is not simply asked for again: those of a batch that
    somebody cancelled, that has lost some of them, or that expired with none."""
    batch = ended.batch
    if ended.ours and batch.status == "cancelled":
        raise StageError(
            f"Batch {batch.id} was cancelled: {len(ended.lines):,} of its requests have an answer, "
            "which is kept",
            "Run the same command again: only the others are asked again",
        )
    if batch.status == "completed":
        bill.attempts += 1
        detail = f"batch {batch.id} is completed and has no line for it"
        raise CallError("server_error", detail, transient=True, answered=True)
    if ended.ours and not ended.lines:
        bill.attempts += 1
        detail = f"batch {batch.id} has expired before anything in it was answered"
        raise CallError("timeout", detail, transient=True)


def _remedy(batch: Batch) -> str:
    if batch.full:
        return (
            "Lower judge.batch_requests, so that a batch takes less of that limit, or wait until "
            "other batches of the account have ended; then run the same command again"
        )
    return "Correct what it names, or set judge.batch: false; then run the same command again"


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn what an endpoint finally says into a StageError that says what was being done."""
    try:
        yield
    except CallError as error:
        raise StageError(
            f"The Batch API failed at {doing}: {error.cause}: {error}",
            f"Correct the cause. {_SAME}",
        ) from None
