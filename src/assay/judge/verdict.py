"""One verdict: asked for, repaired where that can help, and unscored by cause otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

from assay.judge import contract
from assay.judge.contract import Opinion, ReplyError
from assay.judge.log import Case
from assay.judge.outcome import CallError
from assay.judge.rubric import Rubric
from assay.judge.session import Bill, Session
from assay.records import Verdict


async def give(session: Session, case: Case, key: str) -> Verdict:
    """Return the verdict on one case: the scores, or for a dimension why it has none.

    With repeats a score is the median of those that were valid, where they are the majority."""
    begun, bill = time.monotonic(), Bill()
    values: dict[str, float] = {}
    unscored: dict[str, str] = {}
    spread: dict[str, float] = {}
    comments = []
    for part in session.parts:
        opinions, errors = await _opinions(session, part, case, bill)
        if len(opinions) > len(errors):
            values |= _over(opinions, median)
            spread |= _over(opinions, stdev) if len(opinions) > 1 else {}
            comments.append(_most_typical(opinions))
        else:
            unscored |= dict.fromkeys(part.dimensions, errors[0].cause)
            comments.append(f"{errors[0].cause}: {errors[0]}")
    return Verdict(
        id=case[0].id,
        key=key,
        values=values,
        unscored=unscored,
        spread=spread,
        commentary=" | ".join(comments),
        attempts=bill.attempts,
        prompt_tokens=bill.prompt_tokens,
        output_tokens=bill.output_tokens,
        seconds=round(time.monotonic() - begun, 3),
    )


async def _opinions(
    session: Session, part: Rubric, case: Case, bill: Bill
) -> tuple[list[Opinion], list[CallError | ReplyError]]:
    opinions: list[Opinion] = []
    errors: list[CallError | ReplyError] = []
    for _ in range(session.settings.repeats):
        try:
            opinions.append(await _opinion(session, part, case, bill))
        except (CallError, ReplyError) as error:
            errors.append(error)
    return opinions, errors


async def _opinion(session: Session, part: Rubric, case: Case, bill: Bill) -> Opinion:
    chat = contract.ask_for(part, *case)
    answer = case[1].output
    form = contract.schema(part)
    reply = await session.reply(chat, form, bill)
    try:
        return contract.parse(part, reply.text, answer)
    except ReplyError as error:
        chat = contract.ask_again(part, chat, reply.text, error)
    reply = await session.reply(chat, form, bill)
    return contract.parse(part, reply.text, answer)


def _over(opinions: Sequence[Opinion], function: Callable[[list[int]], float]) -> dict[str, float]:
    return {
        name: function([opinion.scores[name] for opinion in opinions])
        for name in opinions[0].scores
    }


def _most_typical(opinions: Sequence[Opinion]) -> str:
    """Return the commentary of the opinion whose mean score is nearest to the median one."""
    means = [fmean(opinion.scores.values()) for opinion in opinions]
    middle = median(means)
    nearest = min(range(len(means)), key=lambda index: abs(means[index] - middle))
    return opinions[nearest].commentary
