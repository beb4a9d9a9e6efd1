"""Pairwise: which of the two sides' answers to each sample is better, paid for once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path

from assay import cases, progress, store
from assay.folder import PAIRING, PAIRS, SECOND_PAIRS
from assay.judge.cost import Price
from assay.judge.flips import Flips, compare, judge_again
from assay.judge.hearing import Hearing, Keyed, check_share
from assay.judge.log import alone, as_asked, identity, not_judged, pending, verdicts
from assay.judge.mode import Calls, JudgeJob, JudgeMode, priced
from assay.judge.pair_contract import ask_for
from assay.judge.pair_verdict import LOSS, WIN, WIN_RATE, Preference, give, preference_of
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
    was. `cost` is None without a price."""

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


@alone
def judge_pairs(
    samples: Path,
    baseline: Path,
    candidate: Path,
    out: Path,
    settings: JudgeSettings,
    *,
    only_failed: bool = False,
    listen: Listener = progress.ignore,
) -> None:
    """Append to the log `out` (pairs.jsonl) a Verdict on the pair of answers to each sample that
    has none yet: win-rate is 100 where the candidate's is better, 0 where the baseline's is, 50
    for a tie; order-flip is 100 where the order changed the reply. With repeats the majority of
    them counts, and without one it is a tie. Then write pairs.json (PairSummary) beside it. What
    was paid for is not asked again. Raises InputError before anything is paid for, and StageError
    where too many pairs have no score."""
    answers = list(store.read_rows(baseline, Prediction))
    others = {row.id: row.output for row in answers}
    unanswered = {row.id: row.unanswered for row in answers if row.unanswered}
    cases.count(samples, candidate)

    def keyed() -> Iterator[Keyed]:
        for case in cases.read(samples, candidate):
            if case[0].id in others:
                asked = _key(name, case, others[case[0].id])
                yield as_asked(asked, hearing.dropped), case

    async def ask(session: Session, case: Case, key: str) -> Verdict:
        id_ = case[0].id
        if id_ in unanswered:
            return not_judged(id_, key, (WIN_RATE,), unanswered[id_])
        return await give(session, case, others[id_], key)

    def expected(session: Session, case: Case) -> tuple[int, int]:
        chat = ask_for(session.rubric, case[0], case[1].output, others[case[0].id])
        calls = 2 * settings.repeats
        return calls * prompt_tokens(chat), calls * settings.max_tokens

    hearing = Hearing(settings, give=ask, expected=expected, names=(WIN_RATE,))
    name = f"pairs {VERSION} {identity(settings, hearing.rubric)}"
    hearing.recall(out, keyed())
    todo = pending(out, keyed(), hearing.names, most=settings.max_samples, only_failed=only_failed)
    total = todo.done + todo.left
    with progress.track(
        listen, "judge", total=total, unit="pairs", side="pairs", done=todo.done
    ) as tracker:
        hearing.fill(out, todo, keyed(), tracker)
        given = verdicts(out)
        second = judge_again(
            hearing,
            out.with_name(SECOND_PAIRS),
            islice(keyed(), settings.max_samples or None),
            given,
            only_failed=only_failed,
        )
        summary = _summarise(settings, given, second, hearing.price)
        store.write_json(out.with_name(PAIRING), summary)
        check_share(summary.unscored, summary.pairs, settings, out)


def _key(name: str, case: Case, other: str) -> str:
    sample, prediction = case
    shown = [name, sample.messages, sample.tools, sample.target, prediction.output, other]
    return hashlib.sha256(store.to_json(shown)).hexdigest()[:32]


def _summarise(
    settings: JudgeSettings,
    given: Mapping[str, Verdict],
    second: Mapping[str, Verdict],
    price: Price | None,
) -> PairSummary:
    rows = given.values()
    causes = Counter(row.unscored[WIN_RATE] for row in rows if row.unscored)
    preferences = Counter[Preference | None](preference_of(row) for row in rows)
    paid = [*rows, *second.values()]
    prompt, output = sum(row.prompt_tokens for row in paid), sum(row.output_tokens for row in paid)
    return PairSummary(
        model=settings.model,
        pairs=len(rows),
        wins=preferences["candidate"],
        ties=preferences["tie"] + preferences["inconsistent"],
        losses=preferences["baseline"],
        inconsistent=preferences["inconsistent"],
        unscored=dict(sorted(causes.items())),
        requests=sum(row.attempts for row in paid),
        prompt_tokens=prompt,
        output_tokens=output,
        cost=price.of(prompt, output) if price else None,
        repeats=settings.repeats,
        flips=compare(given, second, itemgetter(WIN_RATE), reach=WIN - LOSS, far=WIN - LOSS),
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
