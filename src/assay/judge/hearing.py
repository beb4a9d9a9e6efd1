"""A hearing: whatever lacks its verdict is asked for side by side, within one budget."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from assay import store
from assay.judge import earlier, learned, rubric
from assay.judge.cost import Budget, price_of
from assay.judge.dialect import Dialect, dropped, with_dropped
from assay.judge.log import (
    NOT_JUDGED,
    Pending,
    as_asked,
    bring,
    copied,
    dropped_in,
    identity,
    judge_of,
    key,
    not_judged,
    pending,
    rows,
    verdicts,
)
from assay.judge.purse import Expected, Purse, Usual, refusal
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.standstill import FEWEST, to_nobody
from assay.judge.unscored import describe, given_up, hopeless
from assay.judge.verdict import give
from assay.progress import Tracker, clock
from assay.records import UNANSWERED, Case, Verdict

HOPELESS = 30
AT_ONCE = 50_000
"""So many verdicts wait for their batches at a time, each of which takes memory."""

Keyed = tuple[str, Case]
Give = Callable[[Session, Case, str], Coroutine[None, None, Verdict]]
Expect = Callable[[Session, Case], Expected]
KeyOf = Callable[[str, Case], str]


class Hearing:
    """The verdicts of one judge: each batch has its log, and all are paid from the `budget`, the
    run's. `give` asks for one verdict on the dimensions `names` (the rubric's), which is `expected`
    to need so much, and has the key `key_of` its identity and the case. `was` are the settings that
    its earlier keys were made of, where these are others. `waited_s` is how long all
    requests waited for the judge, in seconds.

    Raises JudgeError where the rubric cannot be read, or the model has no price and needs one."""

    def __init__(
        self,
        settings: JudgeSettings,
        *,
        was: JudgeSettings | None = None,
        budget: Budget | None = None,
        give: Give = give,
        expected: Expect = Session.expected,
        key_of: KeyOf = key,
        names: Sequence[str] = (),
    ) -> None:
        self.give, self.expected, self.key_of = give, expected, key_of
        self.settings, self._was = settings, was or settings
        self.rubric = rubric.load(settings.rubric)
        self._wanted = learned.wanted(settings)
        self._whole = identity(settings, self.rubric)  # where nothing is dropped
        self.price = price_of(settings.model, settings.prices, settings.max_cost)
        self._start = learned.recall(settings)
        self.names = tuple(names or self.rubric.dimensions)
        self.budget = budget or Budget(settings.max_cost)
        self.usual = Usual(settings.max_tokens)
        self.asked: Dialect | None = None
        self._note_batches: Callable[[str], None] = to_nobody
        self._tell: Callable[[str], None] = to_nobody
        self.waited_s = 0.0
        self._causes: Counter[str] = Counter()
        self._given = 0

    def tell_to(self, tracker: Tracker) -> None:
        """Have the `tracker` told what is waited for, and how batches stand."""
        self._tell = tracker.wait
        self._note_batches = lambda note: tracker.advance(0, note)

    def learn(self, trials: Path) -> None:
        """Take what a verdict usually takes from the `trials` that preflight had of this judge."""
        for row in rows(trials) if trials.is_file() else ():
            if row.key == judge_of(self.identity):
                expected = Expected(requests=row.attempts, prompt=row.prompt_tokens)
                self.usual.learn(expected, row.prompt_tokens, row.output_tokens)

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the endpoint is known to refuse of what a verdict depends on."""
        return dropped(self.asked or self._start or self._wanted, self._wanted)

    @property
    def identity(self) -> str:
        """The identity of the verdicts as the endpoint is asked for them now."""
        return as_asked(self._whole, self.dropped)

    def keyed(self, cases: Iterable[Case]) -> Iterator[Keyed]:
        """Yield the `cases`, each with the key of its verdict."""
        return ((self.key_of(self.identity, case), case) for case in cases)

    def recall(self, log: Path, keyed: Callable[[], Iterable[Keyed]]) -> None:
        """Take what `log` has of the cases: under present keys what was paid for under earlier
        ones, and, where nothing is known of the endpoint on this machine, how it was asked."""
        self.adopt(log, keyed)
        if self._start is None:
            names = dropped_in(log, (name for name, _ in keyed()))
            if names:
                self._start = with_dropped(self._wanted, names)

    def adopt(
        self, log: Path, keyed: Callable[[], Iterable[Keyed]], own: Callable[[str], str] = str
    ) -> None:
        """Put what `log` has under earlier keys of the cases under their present ones; `own` makes
        the key in this log of that of a case."""
        past = earlier.identities(self._was, self.rubric, log) if log.exists() else ()
        if past:
            pairs = ((self.key_of(name, case), key) for key, case in keyed() for name in past)
            earlier.adopt(log, {own(was): judge_of(key) for was, key in pairs})

    def beside(
        self,
        log: Path,
        others: Sequence[Keyed],
        *,
        only_failed: bool = False,
        by_batch: bool = False,
        adopted: bool = False,
    ) -> dict[str, Verdict]:
        """Judge a few answers beside those of the run, and return their verdicts by id. They are
        asked for directly unless `by_batch`: to wait for the few that are tried first would cost
        more than it saves. What has earlier keys is looked for unless it is `adopted`."""
        if not others:
            return {}
        if not adopted:
            self.recall(log, lambda: others)
        asked = self._as_asked(others)
        todo = bring(log, pending(log, asked, self.names, only_failed=only_failed))
        self.fill(log, todo, iter(asked), None, by_batch=by_batch)
        wanted = {name for name, _ in self._as_asked(others)}
        return {id: row for id, row in verdicts(log).items() if row.key in wanted}  # noqa: A001

    def _as_asked(self, keyed: Iterable[Keyed]) -> list[Keyed]:
        return [(as_asked(name, self.dropped), case) for name, case in keyed]

    def fill(
        self,
        log: Path,
        todo: Pending,
        keyed: Iterator[Keyed],
        tracker: Tracker | None,
        *,
        by_batch: bool = True,
    ) -> None:
        """Append to `log` the verdicts that `todo` says it lacks; they go `by_batch` where the
        settings say so."""
        batches = log if by_batch and self.settings.batch else None
        left = (pair for pair in keyed if pair[1][0].id in todo.todo)
        if todo.todo:
            with store.appending(log) as file, _little_garbage_collection():
                asyncio.run(self._judge_all(left, todo, batches, file, tracker))

    async def _judge_all(
        self,
        left: Iterator[Keyed],
        todo: Pending,
        batches: Path | None,
        file: IO[bytes],
        tracker: Tracker | None,
    ) -> None:
        purse = Purse(self.budget, self.price, self.usual, by_batch=batches is not None)
        known = self.asked or self._start
        async with Session(self.settings, self.rubric, known, purse, self._tell) as session:
            if batches:
                session.by_batch(batches, self._note_batches)

            async def work() -> None:
                for name, case in left:
                    if session.ended:
                        return
                    verdict = await self._verdict(session, purse, name, case)
                    twins = todo.todo[verdict.id]
                    for row in (verdict, *(copied(verdict, twin) for twin in twins)):
                        if not (_is_refused(row) and row.id in todo.told):
                            store.append(file, row)
                    if tracker and not session.ended:
                        self._count(verdict)
                        tracker.advance(1 + len(twins), note=self.note(session))

            # twice as many as may be in flight: some wait to ask again, and hold no place; and more
            # than those that may fail by their own fault and be taken for the endpoint's
            workers = max(2 * FEWEST, 2 * self.settings.concurrency)
            try:
                await _all(work, min(len(todo.todo), AT_ONCE if batches else workers))
            finally:
                self.waited_s += session.standstill.waited_s
            if session.ended:
                raise given_up(self.settings, session.ended)

    async def _verdict(self, session: Session, purse: Purse, name: str, case: Case) -> Verdict:
        if cause := case[1].unanswered:
            return not_judged(case[0].id, name, self.names, cause)
        if not purse.capped:
            return await self._ask(session, name, case)
        expected = self.expected(session, case)
        held = await purse.hold(expected)
        if held is None:
            return not_judged(case[0].id, name, self.names, why=refusal(self.budget))
        try:
            verdict = await self._ask(session, name, case)
            self.usual.learn(expected, verdict.prompt_tokens, verdict.output_tokens)
        finally:
            purse.free(held)
        return verdict

    async def _ask(self, session: Session, name: str, case: Case) -> Verdict:
        verdict = await self.give(session, case, name)
        self.asked = session.endpoint.dialect
        tokens = verdict.prompt_tokens, verdict.output_tokens
        batch = verdict.batch_prompt_tokens, verdict.batch_output_tokens
        cost = self.price.of(*tokens, batch) if self.price else None
        return replace(verdict, key=as_asked(name, session.endpoint.dropped), cost=cost)

    def _count(self, verdict: Verdict) -> None:
        self._given += 1
        self._causes.update(list(verdict.unscored.values())[:1])
        unasked = sum(self._causes[cause] for cause in (NOT_JUDGED, *UNANSWERED))
        failed = self._causes.total() - unasked
        if self._given == failed == HOPELESS and self.settings.max_unscored < 1:
            raise hopeless(HOPELESS, self._causes, verdict.commentary)

    def note(self, session: Session | None = None) -> str:
        """Return what has no score so far, by cause, what of the cap is spent, and how long the
        judge was waited for, in the `session` that goes on too."""
        ended = self.budget.capped and self._causes[NOT_JUDGED]
        remedy = "raise judge.max_cost for the rest" if ended else ""
        seconds = self.waited_s + (session.standstill.waited_s if session else 0.0)
        waited = f"waited {clock(seconds)} for the judge" if seconds >= 1 else ""
        return ", ".join(filter(None, (describe(self._causes), str(self.budget), remedy, waited)))


@contextmanager
def _little_garbage_collection() -> Iterator[None]:
    """Leave what is already loaded out of the search for garbage: its many objects would be gone
    through again and again, while the first requests are sent."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _all(work: Callable[[], Coroutine[None, None, None]], count: int) -> None:
    tasks = []
    try:
        for _ in range(count):
            tasks.append(asyncio.create_task(work()))
            await asyncio.sleep(0)  # each request leaves before the next one is written
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_refused(row: Verdict) -> bool:
    """Whether the cap let nothing be asked: then what its id came to before still holds."""
    return not row.attempts and NOT_JUDGED in row.unscored.values()
