"""Pairwise: which of two answers to one sample is better, asked in both orders.

A judge prefers a place as well as an answer, so each pair is asked twice with the places changed.
Where the two replies contradict each other the pair is a tie, and counted as such; where one of
them is no verdict the pair is unscored.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import progress, store
from assay.judge import cases, contract
from assay.judge.contract import Chat, ReplyError
from assay.judge.cost import Price
from assay.judge.frames import FRAMES
from assay.judge.log import Case, plan, verdicts
from assay.judge.outcome import CallError
from assay.judge.rubric import COMMENTARY, Rubric
from assay.judge.session import Bill, Session, prompt_tokens
from assay.judge.settings import JudgeSettings
from assay.judge.work import Keyed, Work, check_share
from assay.progress import Listener
from assay.records import Prediction, Sample, Verdict

VERSION = 1
WIN_RATE, FLIPPED = "win-rate", "order-flip"
SUMMARY = "pairs.json"
BETTER = "better"
CHOICES = ("A", "B", "tie")
WIN, TIE, LOSS = 100.0, 50.0, 0.0


@dataclass(frozen=True, kw_only=True)
class PairSummary:
    """The pairwise judging of a run, written last: how many `pairs`, how many of them were `wins`,
    `ties` and `losses` of the candidate, how many of the ties are `inconsistent` (the reply changed
    with the order), and what has no score, by cause. `cost` is None without a price."""

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
    for a tie; order-flip is 100 where the order changed the reply. Then write pairs.json
    (PairSummary) beside it. What was paid for is not asked again. Raises InputError before
    anything is paid for, and StageError where too many pairs have no score."""
    others = {row.id: row.output for row in store.read_rows(baseline, Prediction)}

    def keyed() -> Iterator[Keyed]:
        for case in cases.read(samples, candidate):
            if case[0].id in others:
                yield _key(name, case, others[case[0].id]), case

    async def ask(session: Session, case: Case, key: str) -> Verdict:
        return await give(session, case, others[case[0].id], key)

    def expected(session: Session, case: Case) -> tuple[int, int]:
        chat = ask_for(session.rubric, case[0], case[1].output, others[case[0].id])
        return 2 * prompt_tokens(chat), 2 * settings.max_tokens

    work = Work(settings, give=ask, expected=expected, names=(WIN_RATE,))
    name = f"pairs {VERSION} {work.identity}"
    todo = plan(out, keyed(), work.names, most=settings.max_samples, only_failed=only_failed)
    total = todo.done + len(todo.todo)
    with progress.track(
        listen, "judge", total=total, unit="pairs", side="pairs", done=todo.done
    ) as tracker:
        work.fill(out, todo, keyed(), tracker)
        summary = _summarise(settings, list(verdicts(out).values()), work.price)
        store.write_json(out.with_name(SUMMARY), summary)
        check_share(summary.unscored, summary.pairs, settings, out)


async def give(session: Session, case: Case, other: str, key: str) -> Verdict:
    """Return the verdict on the candidate's answer of `case` against the baseline's, `other`."""
    sample, own, bill = case[0], case[1].output, Bill()
    found = await asyncio.gather(
        _choose(session, sample, own, other, bill), _choose(session, sample, other, own, bill)
    )
    causes = [reply.cause for reply, _ in found if isinstance(reply, ReplyError | CallError)]
    return Verdict(
        id=sample.id,
        key=key,
        values={} if causes else _values(str(found[0][0]), str(found[1][0])),
        unscored={WIN_RATE: causes[0]} if causes else {},
        commentary=f"Candidate first: {found[0][1]} | Baseline first: {found[1][1]}",
        attempts=bill.attempts,
        prompt_tokens=bill.prompt_tokens,
        output_tokens=bill.output_tokens,
    )


def _values(candidate_first: str, baseline_first: str) -> dict[str, float]:
    """Return win-rate and order-flip from the choice in either order."""
    same = {"A": "B", "B": "A", "tie": "tie"}[baseline_first] == candidate_first
    won = {"A": WIN, "B": LOSS, "tie": TIE}[candidate_first]
    return {WIN_RATE: won if same else TIE, FLIPPED: 0.0 if same else 100.0}


def ask_for(rubric: Rubric, sample: Sample, first: str, second: str) -> Chat:
    """Return the messages that ask which answer is better; nothing says which model wrote one."""
    frame = FRAMES[rubric.language]
    task, target = contract.task_of(sample), sample.target
    word = contract.fence(task, target, first, second)
    parts = [contract.block(frame["task"], word, task)]
    if target.strip():
        parts.append(contract.block(frame["reference"], word, target))
    parts += [
        contract.block(frame["first"], word, first),
        contract.block(frame["second"], word, second),
        frame["close_pair"].format(word=word),
    ]
    constant = frame["pair"].format(dimensions=contract.levels_of(rubric), form=_form(rubric))
    return [
        {"role": "system", "content": constant},
        {"role": "user", "content": "\n".join(parts)},
    ]


def parse(reply: str, answers: str) -> tuple[str, str]:
    """Return the choice (A, B or tie) in `reply`, exactly one JSON object, and why. Raises
    ReplyError."""
    values = contract.object_in(reply, answers)
    contract.check_keys([COMMENTARY, BETTER], values)
    if values[BETTER] not in CHOICES:
        raise ReplyError("parse_error", f"{BETTER} is not one of {', '.join(CHOICES)}")
    return values[BETTER], contract.one_line(values[COMMENTARY])


def schema() -> dict[str, Any]:
    """Return the JSON schema of a reply: reasons before the choice."""
    properties = {
        COMMENTARY: {"type": "string", "maxLength": contract.COMMENTARY_LENGTH},
        BETTER: {"type": "string", "enum": list(CHOICES)},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


async def _choose(
    session: Session, sample: Sample, first: str, second: str, bill: Bill
) -> tuple[str | CallError | ReplyError, str]:
    """Return the choice and why, or the error and what it says."""
    chat, answers = ask_for(session.rubric, sample, first, second), f"{first}\n{second}"
    try:
        reply = await session.reply(chat, schema(), bill)
        try:
            return parse(reply.text, answers)
        except ReplyError as error:
            form = _form(session.rubric)
            chat = contract.repair(session.rubric, chat, reply.text, error, form)
        reply = await session.reply(chat, schema(), bill)
        return parse(reply.text, answers)
    except (CallError, ReplyError) as error:
        return error, f"{error.cause}: {error}"


def _form(rubric: Rubric) -> str:
    frame = FRAMES[rubric.language]
    return f'{{"{COMMENTARY}": "{frame["reason"]}", "{BETTER}": "{frame["choice"]}"}}'


def _key(name: str, case: Case, other: str) -> str:
    sample, prediction = case
    shown = [name, sample.messages, sample.tools, sample.target, prediction.output, other]
    return hashlib.sha256(store.to_json(shown)).hexdigest()[:32]


def _summarise(
    settings: JudgeSettings, rows: Sequence[Verdict], price: Price | None
) -> PairSummary:
    causes = Counter(row.unscored[WIN_RATE] for row in rows if row.unscored)
    outcomes = Counter(row.values[WIN_RATE] for row in rows if not row.unscored)
    prompt, output = sum(row.prompt_tokens for row in rows), sum(row.output_tokens for row in rows)
    return PairSummary(
        model=settings.model,
        pairs=len(rows),
        wins=outcomes[WIN],
        ties=outcomes[TIE],
        losses=outcomes[LOSS],
        inconsistent=sum(row.values.get(FLIPPED, 0) == 100 for row in rows),
        unscored=dict(sorted(causes.items())),
        requests=sum(row.attempts for row in rows),
        prompt_tokens=prompt,
        output_tokens=output,
        cost=price.of(prompt, output) if price else None,
    )
