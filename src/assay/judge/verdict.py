"""One verdict: asked for, repaired where that can help, and unscored by cause otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

from assay.judge import contract
from assay.judge.contract import Grades, ReplyError
from assay.judge.outcome import CallError
from assay.judge.rubric import Rubric
from assay.judge.session import Bill, Session
from assay.records import Case, Verdict


async def give(session: Session, case: Case, key: str) -> Verdict:
    """Return the verdict on one case: the scores, or for a dimension why it has none.

    With repeats a score is the median of those that were valid, where they are the majority."""
    bill = Bill(key=key)
    values: dict[str, float] = {}
    unscored: dict[str, str] = {}
    spread: dict[str, float] = {}
    comments = []
    for part in session.parts:
        grades, errors = await _all_grades(session, part, case, bill)
        if len(grades) > len(errors):
            values |= _over(grades, median)
            spread |= _over(grades, stdev) if len(grades) > 1 else {}
            comments.append(_most_typical(grades))
        else:
            unscored |= dict.fromkeys(part.dimensions, errors[0].cause)
            comments.append(f"{errors[0].cause}: {errors[0]}")
    return bill.verdict(
        case,
        values=values,
        unscored=unscored,
        spread=spread,
        commentary=" | ".join(comments),
    )


async def _all_grades(
    session: Session, part: Rubric, case: Case, bill: Bill
) -> tuple[list[Grades], list[CallError | ReplyError]]:
    grades: list[Grades] = []
    errors: list[CallError | ReplyError] = []
    for _ in range(session.settings.repeats):
        try:
            grades.append(await _grades(session, part, case, bill))
        except (CallError, ReplyError) as error:
            errors.append(error)
    return grades, errors


async def _grades(session: Session, part: Rubric, case: Case, bill: Bill) -> Grades:
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


def _over(grades: Sequence[Grades], function: Callable[[list[int]], float]) -> dict[str, float]:
    return {name: function([reply.scores[name] for reply in grades]) for name in grades[0].scores}


def _most_typical(grades: Sequence[Grades]) -> str:
    """Return the commentary of the reply whose mean score is nearest to the median one."""
    means = [fmean(reply.scores.values()) for reply in grades]
    middle = median(means)
    nearest = min(range(len(means)), key=lambda index: abs(means[index] - middle))
    return grades[nearest].commentary
