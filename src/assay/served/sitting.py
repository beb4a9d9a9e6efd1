"""A sitting of one served model: whatever lacks its answer is asked for, side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from assay import progress, store
from assay.errors import StageError
from assay.generate import GenerateSettings
from assay.judge.causes import LIMITED
from assay.judge.outcome import CallError
from assay.judge.session import Bill, Caller
from assay.judge.standstill import FEWEST
from assay.progress import Tracker
from assay.records import Sample
from assay.served import chat
from assay.served.answer import ModelReply, prediction, unanswered
from assay.served.client import Answering, asked_as
from assay.served.log import AskedRow, read
from assay.served.settings import ServedModel
from assay.served.wording import of_model, remedy, telling, told

HOPELESS = 30


async def answer_all(
    model: ServedModel,
    settings: GenerateSettings,
    samples: Path,
    log: Path,
    side: str,
    where: str,
    listen: progress.Listener,
) -> None:
    """Append the answers to the `samples` in a file that `log` lacks, and then those of the samples
    that are asked again. Raises StageError."""
    before, total = read(log), store.count_rows(samples)
    done = len(before.rows) - len(before.failing)
    with progress.track(
        listen, "generate", side=side, total=total, unit="samples", done=done
    ) as tracker:
        with of_model(where):
            endpoint = Answering(asked_as(model, settings), settings)
        async with Caller(endpoint, tell=telling(tracker.wait, where)) as caller:
            with store.appending(log) as file:
                rows = store.read_rows(samples, Sample)
                todo = (row for row in rows if not before.has(row.id))
                hopeless = settings.max_unanswered < 1
                await _ask_all(caller, todo, file, model, where, tracker, hopeless=hopeless)
                await _ask_again(caller, samples, log, file, model)


async def ask(caller: Caller, sample: Sample, *, again: bool = False) -> AskedRow:
    """Return what comes of one sample."""
    bill, messages, beside = Bill(), chat.messages(sample), chat.tools(sample)
    failed, detail, named = "", "", ""
    try:
        reply = await caller.reply(messages, beside, bill)
        assert isinstance(reply, ModelReply)  # noqa: S101  what this endpoint reads
        given, named = prediction(sample, reply), reply.model
    except CallError as error:
        given, failed, detail = unanswered(sample, error), error.cause, str(error)
    return AskedRow(
        prediction=given,
        attempts=bill.attempts,
        prompt_tokens=bill.prompt_tokens,
        output_tokens=bill.output_tokens,
        estimated=bill.estimated,
        sent=chat.size(messages, beside),
        dropped=caller.endpoint.dropped,
        failed=failed,
        detail=detail,
        again=again,
        model=named,
        endpoint=caller.endpoint.url,
    )


async def _ask_all(
    caller: Caller,
    left: Iterator[Sample],
    file: IO[bytes],
    model: ServedModel,
    where: str,
    tracker: Tracker,
    *,
    hopeless: bool,
) -> None:
    causes, given, waiting = Counter[str](), 0, ""

    async def work() -> None:
        nonlocal given, waiting
        for sample in left:
            row = await ask(caller, sample)
            if caller.ended and row.failed:
                waiting = sample.id
                return  # not by its own fault
            store.append(file, row)
            given += 1
            causes.update([row.failed] if row.failed else [])
            tracker.advance(1, note=_note(causes))
            if given == causes.total() == HOPELESS and hopeless:
                raise _hopeless(caller, model, where, row)

    await _side_by_side(caller, work)
    if caller.ended:
        raise _given_up(model, where, caller.ended, waiting)


async def _ask_again(
    caller: Caller,
    samples: Path,
    log: Path,
    file: IO[bytes],
    model: ServedModel,
) -> None:
    """Ask a few samples a second time: the first ones that have an answer."""
    had = read(log)
    rows = store.read_rows(samples, Sample)
    able = (row for row in rows if not had.rows[row.id].prediction.unanswered)
    left = (row for row in islice(able, model.repeat_sample) if row.id not in had.again)

    async def work() -> None:
        for sample in left:
            row = await ask(caller, sample, again=True)
            if row.failed:
                return  # then fewer say whether answers repeat
            store.append(file, row)

    await _side_by_side(caller, work)


async def _side_by_side(caller: Caller, work: Callable[[], Coroutine[None, None, None]]) -> None:
    # some wait to ask again, and hold no place among those in flight
    workers = max(2 * FEWEST, 2 * caller.settings.concurrency)
    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note(causes: Counter[str]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def _hopeless(caller: Caller, model: ServedModel, where: str, last: AskedRow) -> StageError:
    return StageError(
        f"{model} answered none of the first {HOPELESS} samples, the last one, "
        f"id={last.prediction.id}: {last.failed}: {last.detail}",
        f"{remedy(caller.settings, where, last.failed, last.detail)}. Then run the same command "
        "again",
    )


def _given_up(model: ServedModel, where: str, ended: CallError, waiting: str) -> StageError:
    again = "Run the same command again once it does: only what is missing is asked"
    moved = f"If it has moved, assay generate RUN --set {where}.endpoint=URL goes on with the rest"
    return StageError(
        f"{model} answers no more, such as to id={waiting}: {ended.cause}: "
        f"{told(str(ended), where)}",
        f"{again}. Or raise {where}.max_wait_s"
        if ended.cause == LIMITED
        else f"{again}. {moved}. Or raise {where}.outage_s",
    )
