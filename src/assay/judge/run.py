"""The stage: every prediction gets a verdict, paid for once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from assay import progress, store
from assay.errors import StageError
from assay.judge import anchors, cases, health, rubric
from assay.judge.cost import Budget, price_of
from assay.judge.endpoint import Dialect
from assay.judge.log import NOT_JUDGED, Case, Plan, identity, key, not_judged, plan, verdicts
from assay.judge.rubric import Rubric
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.summary import summarise
from assay.judge.verdict import give
from assay.progress import Listener, Tracker
from assay.records import Prediction, Verdict

SELF_TEST = "self_test.jsonl"
ANCHORS = "anchor_verdicts.jsonl"
SUMMARY = "judge.json"
HOPELESS = 30

Keyed = tuple[str, Case]
Give = Callable[[Session, Case, str], Coroutine[None, None, Verdict]]
Expected = Callable[[Session, Case], tuple[int, int]]


def judge(
    samples: Path,
    predictions: Path,
    out: Path,
    settings: JudgeSettings,
    *,
    side: str = "",
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Append a Verdict to the log `out` (verdicts.jsonl) for every prediction that has none yet;
    then write judge.json (JudgeSummary) beside it. The verdicts on the self-test and on the
    anchors are logged in self_test.jsonl and anchor_verdicts.jsonl.

    A verdict that was paid for under the same rubric, model, parameters and prediction is not
    asked for again; one that failed is. `only_failed` leaves out what was never asked. Read the
    log with `verdicts`. Raises InputError before anything is paid for, and StageError where more
    than settings.max_unscored of the verdicts have no score, with all that was done kept.
    """
    chosen = rubric.load(settings.rubric)
    price = price_of(settings.model, settings.prices, settings.max_cost)
    name = identity(settings, chosen)
    frozen = anchors.load(settings.anchors, chosen)

    def keyed() -> Iterator[Keyed]:
        return ((key(name, case), case) for case in cases.read(samples, predictions))

    names = tuple(chosen.dimensions)
    todo = plan(out, keyed(), names, most=settings.max_samples, only_failed=only_failed)
    work = Work(settings, chosen, Budget(price, settings.max_cost))
    with progress.track(
        listen,
        "judge",
        total=todo.done + len(todo.todo),
        unit="verdicts",
        side=side,
        done=todo.done,
    ) as tracker:
        known = health.probes() if settings.self_test else []
        tested = work.beside(out.with_name(SELF_TEST), name, known)
        anchored = work.beside(out.with_name(ANCHORS), name, anchors.cases(frozen))
        work.fill(out, todo, keyed(), tracker)
        rows = _with_lengths(out, predictions, settings.max_samples)
        summary = summarise(
            settings, chosen, name, work.dialect, price, rows, tested, frozen, anchored
        )
        store.write_json(out.with_name(SUMMARY), summary)
        check_share(summary.unscored, summary.verdicts, settings, out)


class Work:
    """The verdicts of one run: each batch has its log, and all share the budget. `give` asks for
    one verdict on the dimensions `names` (the rubric's), which takes the `expected` tokens."""

    def __init__(
        self,
        settings: JudgeSettings,
        chosen: Rubric,
        budget: Budget,
        *,
        give: Give = give,
        expected: Expected = Session.expected_tokens,
        names: Sequence[str] = (),
    ) -> None:
        self.give, self.expected = give, expected
        self.names = tuple(names or chosen.dimensions)
        self.settings = settings
        self.rubric = chosen
        self.budget = budget
        self.dialect: Dialect | None = None
        self._causes: Counter[str] = Counter()
        self._given = 0

    def beside(self, log: Path, name: str, known: Sequence[Case]) -> dict[str, Verdict]:
        """Judge answers that are no predictions of this run, and return their verdicts by id."""
        if not known:
            return {}
        keyed = [(key(name, case), case) for case in known]
        self.fill(log, plan(log, keyed, self.names), iter(keyed), None)
        wanted = {one for one, _ in keyed}
        return {id: row for id, row in verdicts(log).items() if row.key in wanted}  # noqa: A001

    def fill(self, log: Path, todo: Plan, keyed: Iterator[Keyed], tracker: Tracker | None) -> None:
        """Append to `log` the rows that `todo` asks for, and the verdicts that it lacks."""
        left = (pair for pair in keyed if pair[1][0].id in todo.todo)
        with store.appending(log) as file:
            for row in todo.rows:
                store.append(file, row)
            if todo.todo:
                asyncio.run(self._judge_all(left, len(todo.todo), file, tracker))

    async def _judge_all(
        self, left: Iterator[Keyed], count: int, file: IO[bytes], tracker: Tracker | None
    ) -> None:
        async with Session(self.settings, self.rubric) as session:
            self.dialect = session.endpoint.dialect

            async def work() -> None:
                for name, case in left:
                    verdict = await self._verdict(session, name, case)
                    store.append(file, verdict)
                    if tracker:
                        self._count(verdict)
                        tracker.advance(note=self._note())

            # twice as many as may be in flight: some wait to ask again, and hold no place
            await _all([work() for _ in range(min(count, 2 * self.settings.concurrency))])

    async def _verdict(self, session: Session, name: str, case: Case) -> Verdict:
        expected = self.expected(session, case) if self.budget.capped else (0, 0)
        reserved = self.budget.reserve(*expected)
        if reserved is None:
            return not_judged(case[0].id, name, self.names)
        verdict = await self.give(session, case, name)
        self.budget.settle(reserved, verdict.prompt_tokens, verdict.output_tokens)
        return verdict

    def _count(self, verdict: Verdict) -> None:
        self._given += 1
        self._causes.update(list(verdict.unscored.values())[:1])
        failed = self._causes.total() - self._causes[NOT_JUDGED]
        if self._given == failed == HOPELESS and self.settings.max_unscored < 1:
            raise StageError(
                f"None of the first {HOPELESS} verdicts has a score ({describe(self._causes)})",
                "Correct the cause and run the same command again: only these are asked again",
            )

    def _note(self) -> str:
        cost = f"cost {self.budget.spent:.4g}" if self.budget.spent else ""
        return ", ".join(filter(None, (describe(self._causes), cost)))


async def _all(workers: list[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(worker) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_lengths(out: Path, predictions: Path, most: int) -> Iterator[tuple[Verdict, int]]:
    rows = verdicts(out)
    for number, prediction in enumerate(store.read_rows(predictions, Prediction)):
        if prediction.id in rows and (not most or number < most):
            yield rows[prediction.id], len(prediction.output)


def describe(causes: Mapping[str, int]) -> str:
    """Return how many verdicts have no score, by cause, as one line; "" where all have one."""
    return ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))


def check_share(
    unscored: Mapping[str, int], verdicts: int, settings: JudgeSettings, out: Path
) -> None:
    """Raise StageError where more than settings.max_unscored of the verdicts have no score."""
    failed = sum(unscored.values())
    if failed > settings.max_unscored * verdicts:
        raise StageError(
            f"{failed} of {verdicts} verdicts have no score "
            f"({describe(unscored)}); the commentary in {out} says why",
            "Correct the cause and run the same command again: only these are asked again",
        )
