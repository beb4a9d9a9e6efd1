"""Pairwise: which of the two sides' answers to each sample is better, paid for once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

from assay import cases, progress, store
from assay.folder import PAIRING, PAIRS, SECOND_PAIRS, TRIALS
from assay.judge import conversation
from assay.judge.cost import Budget, Paid
from assay.judge.flips import Flips, compare
from assay.judge.hearing import Hearing, Keyed
from assay.judge.ledger import budget_beside
from assay.judge.log import alone, key_to, not_judged
from assay.judge.mode import Calls, JudgeJob, JudgeMode, priced
from assay.judge.modes.whole_log import LogFiles, Verdicts, first, judge_all
from assay.judge.pair_contract import ask_for
from assay.judge.pair_verdict import LOSS, WIN, WIN_RATE, Preference, give, preference_of
from assay.judge.purse import Expected
from assay.judge.session import Session, prompt_tokens
from assay.judge.settings import JudgeSettings
from assay.progress import Listener
from assay.records import SIDES, Case, Prediction, Verdict

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class PairSummary:
    """The pairwise judging of a run, written last: how many `pairs`, how many of them were `wins`,
    `ties` and `losses` of the candidate, how many of the ties are `inconsistent` (the reply changed
    with the order), and what has no score, by cause. Each pair was asked `repeats` times in both
    orders. `flips` says how often a pair that was judged twice got another outcome, None where none
    was. `waited_s` is how many seconds all requests waited for the judge in this run. `cost` is
    None without a price; `estimated`, `spent` and `max_cost` are as of JudgeSummary."""

    model: str
    pairs: int
    wins: int
    ties: int
    losses: int
    inconsistent: int
    unscored: Mapping[str, int]
    requests: int
    prompt_tokens: int
    output_tokens: int
    cost: float | None
    repeats: int = 1
    flips: Flips | None = None
    waited_s: float = 0.0
    estimated: int = 0
    spent: float | None = None
    max_cost: float = 0.0

    @property
    def judged(self) -> int:
        """How many pairs there are."""
        return self.pairs


@alone
def judge_pairs(
    samples: Path,
    baseline: Path,
    candidate: Path,
    out: Path,
    settings: JudgeSettings,
    *,
    budget: Budget | None = None,
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Append to the log `out` (pairs.jsonl) a Verdict on the pair of answers to each sample that
    has none yet: win-rate is 100 where the candidate's is better, 0 where the baseline's is, 50
    for a tie; order-flip is 100 where the order changed the reply. With repeats the majority of
    them counts, and without one it is a tie. Then write pairs.json (PairSummary) beside it. What
    was paid for is not asked again; `budget` is as of `judge`. Raises InputError before anything is
    paid for, and StageError where too many pairs have no score."""
    starts = {row.id: start for start, row in store.placed_rows(baseline, Prediction)}
    others = store.PlacedRows(baseline, Prediction, starts)
    cases.count(samples, candidate)

    def keyed() -> Iterator[Keyed]:
        rows = conversation.read(samples, candidate)
        return hearing.keyed(case for case in rows if case[0].id in others)

    async def ask(session: Session, case: Case, key: str) -> Verdict:
        other = others[case[0].id]
        if other.unanswered:
            return not_judged(other.id, key, (WIN_RATE,), other.unanswered)
        return await give(session, case, other.output, key)

    def expected(session: Session, case: Case) -> Expected:
        chat = ask_for(session.rubric, case[0], case[1].output, others[case[0].id].output)
        requests = 2 * settings.repeats
        return Expected(requests=requests, prompt=requests * prompt_tokens(chat))

    def key_of(identity: str, case: Case) -> str:
        return _key(identity, case, others[case[0].id])

    hearing = Hearing(
        replace(settings, one_call_each=False),  # a pair is asked about once, whatever that says
        was=settings,
        budget=budget or budget_beside(settings, out),
        give=ask,
        expected=expected,
        key_of=key_of,
        names=(WIN_RATE,),
    )
    hearing.learn(samples.with_name(TRIALS))
    hearing.recall(out, keyed)

    def summary(given: Verdicts, second: Verdicts, _beside: None) -> PairSummary:
        rows = (given[case[0].id] for _, case in first(hearing, keyed()) if case[0].id in given)
        return _summarise(hearing, rows, second)

    files = LogFiles(log=out, second=out.with_name(SECOND_PAIRS), summary=out.with_name(PAIRING))
    judge_all(
        hearing,
        files,
        keyed,
        lambda: None,
        summary,
        side="pairs",
        unit="pairs",
        only_failed=only_failed,
        listen=listen,
    )


def _key(identity: str, case: Case, other: Prediction) -> str:
    sample, prediction = case
    shown = [sample.messages, sample.tools, sample.target, prediction.output, other.output]
    missing = [prediction.unanswered, other.unanswered]
    shown += [missing] if any(missing) else []
    return key_to(identity, shown, f"pairs {VERSION} ")


def _summarise(hearing: Hearing, given: Iterable[Verdict], second: Verdicts) -> PairSummary:
    preferences, causes = Counter[Preference | None](), Counter[str]()
    paid, again = Paid(), dict[str, Verdict]()
    for row in given:
        preferences[preference_of(row)] += 1
        causes.update([row.unscored[WIN_RATE]] if row.unscored else [])
        paid.add(row)
        if row.id in second:
            again[row.id] = row
    for row in second.values():
        paid.add(row)
    return PairSummary(
        model=hearing.settings.model,
        pairs=preferences.total(),
        wins=preferences["candidate"],
        ties=preferences["tie"] + preferences["inconsistent"],
        losses=preferences["baseline"],
        inconsistent=preferences["inconsistent"],
        unscored=dict(sorted(causes.items())),
        requests=paid.requests,
        prompt_tokens=paid.prompt,
        output_tokens=paid.output,
        cost=paid.cost(hearing.price),
        repeats=hearing.settings.repeats,
        waited_s=round(hearing.waited_s, 1),
        flips=compare(again, second, itemgetter(WIN_RATE), reach=WIN - LOSS, far=WIN - LOSS),
        estimated=paid.estimated,
        spent=hearing.budget.spent if hearing.price else None,
        max_cost=hearing.budget.most,
    )


def _judges(settings: JudgeSettings, sides: int) -> list[JudgeSettings]:
    return [settings] if settings.pairwise and sides == len(SIDES) else []


def _calls(settings: JudgeSettings, _sides: int) -> Calls:
    return Calls(per_sample=2 * settings.repeats, twice=settings.flip_sample)


def _judge(job: JudgeJob) -> None:
    judge_pairs(
        job.samples,
        job.predictions["baseline"],
        job.predictions["candidate"],
        job.out / PAIRS,
        job.settings,
        budget=job.budget,
        only_failed=job.only_failed,
        listen=job.listen,
    )


def _costs(out: Path) -> list[float]:
    path = out / PAIRING
    return priced([store.read_record(path, PairSummary)]) if path.is_file() else []


MODE = JudgeMode(
    name="pairwise",
    judges=_judges,
    calls=_calls,
    judge=_judge,
    costs=_costs,
)
