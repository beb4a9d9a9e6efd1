"""Requests that go by batch: all that wait leave together, and each comes back to who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import StageError
from assay.folder import BATCHES
from assay.judge.batch import lines
from assay.judge.batch.api import BatchApi, check
from assay.judge.batch.ledger import Ledger, RequestNames
from assay.judge.batch.under_way import Ended, UnderWay, told
from assay.judge.contract import Chat
from assay.judge.endpoint import Endpoint
from assay.judge.outcome import CallError, Reply

QUIET_S = 0.5  # what waits leaves once nothing has come after it for so long
# of so many requests that went by batch one may be asked directly, where to wait again, for hours,
# would be for few
A_FEW = 10

Directly = Callable[[], Awaitable[Reply]]
Came = Callable[[Reply | CallError], None]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A request that is to leave, and where it is told with what: None for directly."""

    name: str
    chat: Chat
    schema: Mapping[str, Any]
    left: asyncio.Future[asyncio.Task[Ended] | None]


class Batches:
    """The batches that the verdicts of one log go in, inside one event loop; `tell` is told how
    they stand."""

    def __init__(self, endpoint: Endpoint, log: Path, tell: Callable[[str], None]) -> None:
        self._endpoint, self._settings, self._tell = endpoint, endpoint.settings, tell
        self._api = BatchApi(endpoint, self._settings.retries, tell)
        self._ledger = Ledger(log.with_name(BATCHES), self._settings.endpoint.rstrip("/"))
        self._names = RequestNames(log)
        self._waiting: list[Waiting] = []
        self._leave: asyncio.TimerHandle | None = None
        self._first, self._checked = asyncio.Lock(), False
        self._leaving = set[asyncio.Task[None]]()
        hours = self._settings.batch_hours
        self._under_way = UnderWay(self._api, self._ledger, tell, hours)

    async def ask(
        self, chat: Chat, schema: Mapping[str, Any], key: str, directly: Directly, came: Came
    ) -> Reply:
        """Return the reply to one request for the verdict of this `key`, by batch or where that
        suits better `directly`; `came` is told what a batch has brought. Raises CallError, and
        StageError where the batch brings none."""
        while True:
            name = self._names.next(key, chat)
            sent = self._ledger.sent(name)
            if not sent and (reply := await self._first_reply(directly)):
                return reply
            batch = (
                self._under_way.followed(sent) if sent else await self._queued(name, chat, schema)
            )
            if batch is None:
                return await directly()
            ended = await asyncio.shield(batch)
            reply = self._reply(name, ended, chat, schema, came)
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
        leaving = [*self._leaving]
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await self._under_way.close()

    def _reply(
        self, name: str, ended: Ended, chat: Chat, schema: Mapping[str, Any], came: Came
    ) -> Reply | None:
        """Return what a batch has brought, None where it is to be asked for again."""
        line, sent = ended.lines.get(name), self._ledger.sent(name)
        if line is None or sent is None:
            _check_unanswered(ended, came)
            return None
        if line.failed and not ended.ours:
            return None  # its cause may be corrected by now
        try:
            reply = self._endpoint.heard(line.status, line.content, sent.dialect, chat, schema)
        except CallError as error:
            came(error)
            raise
        if reply:  # what is refused is not paid, as of what is asked directly
            came(reply)
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
        written = store.Shelf()
        for each, body in zip(together, bodies, strict=True):
            written.add(lines.request(each.name, self._api.path, body))
        most, megabytes = self._settings.batch_requests, self._settings.batch_megabytes
        for part in lines.parts(written, most, megabytes):
            self._tell(f"sending a batch of {len(part):,} requests")
            content = b"".join(written[number] for number in part)
            names = [together[number].name for number in part]
            with told("sending a batch"):
                file = await self._api.upload(content)
                self._ledger.note_file(file, names, dialect)
                sent = await self._under_way.create(file)
            for number in part:
                _tell(together[number].left, self._under_way.followed(sent))


def _tell(
    left: asyncio.Future[asyncio.Task[Ended] | None], batch: asyncio.Task[Ended] | None
) -> None:
    if not left.done():
        left.set_result(batch)


def _check_unanswered(ended: Ended, came: Came) -> None:
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
        detail = f"batch {batch.id} is completed and has no line for it"
        lost = CallError("server_error", detail, transient=True, answered=True)
        came(lost)
        raise lost
    if ended.ours and not ended.lines:
        detail = f"batch {batch.id} has expired before anything in it was answered"
        late = CallError("timeout", detail, transient=True)
        came(late)
        raise late
