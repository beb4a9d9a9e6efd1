"""A hearing: whatever lacks its verdict is asked for side by side, within one budget."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from assay import store
from assay.errors import StageError
from assay.judge import learned, rubric
from assay.judge.cost import Budget, price_of
from assay.judge.dialect import Dialect, dropped, with_dropped
from assay.judge.log import (
    NOT_JUDGED,
    Pending,
    as_asked,
    copied,
    dropped_in,
    identity,
    key,
    not_judged,
    pending,
    verdicts,
)
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.verdict import give
from assay.progress import Tracker
from assay.records import THOUGHT_UNENDED, Case, Verdict

HOPELESS = 30

Keyed = tuple[str, Case]
Twins = Mapping[str, Sequence[str]]
Give = Callable[[Session, Case, str], Coroutine[None, None, Verdict]]
Expected = Callable[[Session, Case], tuple[int, int]]


class Hearing:
    """The verdicts of one run: each batch has its log, and all share the budget. `give` asks for
    one verdict on the dimensions `names` (the rubric's), which takes the `expected` tokens.

    Raises JudgeError where the rubric cannot be read, or the model has no price and needs one."""

    def __init__(
        self,
        settings: JudgeSettings,
        *,
        give: Give = give,
        expected: Expected = Session.expected_tokens,
        names: Sequence[str] = (),
    ) -> None:
        self.give, self.expected = give, expected
        self.settings = settings
        self.rubric = rubric.load(settings.rubric)
        self.price = price_of(settings.model, settings.prices, settings.max_cost)
        self._start = learned.recall(settings)
        self.names = tuple(names or self.rubric.dimensions)
        self.budget = Budget(self.price, settings.max_cost)
        self.asked: Dialect | None = None
        self._tell: Callable[[str], None] = lambda _: None
        self._causes: Counter[str] = Counter()
        self._given = 0

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the endpoint is known to refuse of what a verdict depends on."""
        wanted = learned.wanted(self.settings)
        return dropped(self.asked or self._start or wanted, wanted)

    @property
    def identity(self) -> str:
        """The identity of the verdicts as the endpoint is asked for them now."""
        return identity(self.settings, self.rubric, self.dropped)

    def keyed(self, cases: Iterable[Case]) -> Iterator[Keyed]:
        """Yield the `cases`, each with the key of its verdict."""
        return ((key(self.identity, case), case) for case in cases)

    def recall(self, log: Path, keyed: Iterable[Keyed]) -> None:
        """Ask as the verdicts in `log` were asked for that were paid under the same keys, where
        nothing is known of the endpoint on this machine."""
        if self._start is None:
            names = dropped_in(log, (name for name, _ in keyed))
            if names:
                self._start = with_dropped(learned.wanted(self.settings), names)

    def beside(
        self,
        log: Path,
        others: Sequence[Keyed],
        *,
        only_failed: bool = False,
        by_batch: bool = False,
    ) -> dict[str, Verdict]:
        """Judge a few answers beside those of the run, and return their verdicts by id. They are
        asked for directly unless `by_batch`: to wait for the few that are tried first would cost
        more than it saves."""
        if not others:
            return {}
        self.recall(log, others)
        asked = self._as_asked(others)
        todo = pending(log, asked, self.names, only_failed=only_failed)
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
        """Append to `log` the rows that `todo` asks for, and the verdicts that it lacks; these go
        `by_batch` where the settings say so."""
        if tracker:
            self._tell = lambda note: tracker.advance(0, note)
        batches = log if by_batch and self.settings.batch else None
        left = (pair for pair in keyed if pair[1][0].id in todo.todo)
        with store.appending(log) as file:
            for row in todo.rows:
                store.append(file, row)
            if todo.todo:
                with _little_garbage_collection():
                    asyncio.run(self._judge_all(left, todo.todo, batches, file, tracker))

    async def _judge_all(
        self,
        left: Iterator[Keyed],
        todo: Twins,
        batches: Path | None,
        file: IO[bytes],
        tracker: Tracker | None,
    ) -> None:
        async with Session(self.settings, self.rubric, self.asked or self._start) as session:
            if batches:
                session.by_batch(batches, self._tell)

            async def work() -> None:
                for name, case in left:
                    verdict = await self._verdict(session, name, case)
                    twins = todo[verdict.id]
                    for row in (verdict, *(copied(verdict, twin) for twin in twins)):
                        store.append(file, row)
                    if tracker:
                        self._count(verdict)
                        tracker.advance(1 + len(twins), note=self._note())

            # twice as many as may be in flight: some wait to ask again, and hold no place
            most = len(todo) if session.batches else 2 * self.settings.concurrency
            await _all(work, min(len(todo), most))

    async def _verdict(self, session: Session, name: str, case: Case) -> Verdict:
        if cause := case[1].unanswered:
            return not_judged(case[0].id, name, self.names, cause)
        expected = self.expected(session, case) if self.budget.capped else (0, 0)
        reserved = self.budget.reserve(*expected, by_batch=bool(session.batches))
        if reserved is None:
            return not_judged(case[0].id, name, self.names)
        verdict = await self.give(session, case, name)
        self.asked = session.endpoint.dialect
        verdict = replace(verdict, key=as_asked(name, session.endpoint.dropped))
        by_batch = verdict.batch_prompt_tokens, verdict.batch_output_tokens
        self.budget.settle(reserved, verdict.prompt_tokens, verdict.output_tokens, by_batch)
        return verdict

    def _count(self, verdict: Verdict) -> None:
        self._given += 1
        self._causes.update(list(verdict.unscored.values())[:1])
        failed = self._causes.total() - self._causes[NOT_JUDGED] - self._causes[THOUGHT_UNENDED]
        if self._given == failed == HOPELESS and self.settings.max_unscored < 1:
            raise StageError(
                f"None of the first {HOPELESS} verdicts has a score ({describe(self._causes)}), "
                f"the last one: {verdict.commentary}",
                "Correct the cause and run the same command again: only these are asked again",
            )

    def _note(self) -> str:
        cost = f"cost {self.budget.spent:.4g}" if self.budget.spent else ""
        return ", ".join(filter(None, (describe(self._causes), cost)))


@contextmanager
def _little_garbage_collection() -> Iterator[None]:
    """Leave what is already loaded out of the search for garbage: the SDK's many objects would be
    gone through again and again, for a third of the time that the first requests take."""
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


def describe(causes: Mapping[str, int]) -> str:
    """Return how many verdicts have no score, by cause, as one line; "" where all have one."""
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def check_share(
    unscored: Mapping[str, int], total: int, settings: JudgeSettings, out: Path
) -> None:
    """Raise StageError where more than settings.max_unscored of the `total` have no score, but
    for those without an answer, which is not the judge's failure."""
    failed = sum(unscored.values()) - unscored.get(THOUGHT_UNENDED, 0)
    if failed > settings.max_unscored * total:
        example = _example(out)
        raise StageError(
            f"{failed} of {total} verdicts have no score ({describe(unscored)})"
            f"{example}; the commentary in {out.name} says why",
            "Correct the cause and run the same command again: only these are asked again",
        )


def _example(log: Path) -> str:
    """Quote the first failure: the log of a task that fails on a cluster goes with its pod."""
    failed = (row for row in verdicts(log).values() if row.unscored and row.commentary)
    return next((f", such as id={row.id}, {row.commentary}" for row in failed), "")
