"""One pairwise verdict: both orders asked, as often as `repeats` says, and what the majority says.

A judge prefers a place as well as an answer, so each pair is asked twice with the places changed.
Where the two replies contradict each other the pair is inconsistent, which counts as a tie; where
one of them is no verdict the pair is unscored.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Literal

from assay.judge import contract, specs
from assay.judge.contract import ReplyError
from assay.judge.outcome import CallError
from assay.judge.pair_contract import ask_for, form_of, parse, schema
from assay.judge.session import Bill, Session
from assay.records import Case, Sample, Verdict

Preference = Literal["candidate", "baseline", "tie", "inconsistent"]

WIN_RATE, FLIPPED = specs.WIN_RATE.name, specs.ORDER_FLIP.name
WIN, TIE, LOSS = 100.0, 50.0, 0.0
_WIN_RATES: Mapping[Preference, float] = {
    "candidate": WIN,
    "baseline": LOSS,
    "tie": TIE,
    "inconsistent": TIE,
}
_SWAPPED = {"A": "B", "B": "A", "tie": "tie"}
_PREFERENCES: Mapping[str, Preference] = {"A": "candidate", "B": "baseline", "tie": "tie"}


@dataclass(frozen=True, kw_only=True)
class Vote:
    """What one repeat came to: the preference, or None and the `cause`; and what was said."""

    preference: Preference | None
    cause: str
    commentary: str


async def give(session: Session, case: Case, other: str, key: str) -> Verdict:
    """Return the verdict on the candidate's answer of `case` against the baseline's, `other`: what
    the majority of the repeats says, where those with an outcome are the majority."""
    bill = Bill(key=key)
    repeats = range(session.settings.repeats)
    votes = [await _vote(session, case[0], case[1].output, other, bill) for _ in repeats]
    preferences = [vote.preference for vote in votes if vote.preference]
    chosen = majority(preferences) if 2 * len(preferences) > len(votes) else None
    rates = [_WIN_RATES[preference] for preference in preferences]
    return bill.verdict(
        case,
        values=_values(chosen) if chosen else {},
        unscored={} if chosen else {WIN_RATE: next(vote.cause for vote in votes if vote.cause)},
        spread={WIN_RATE: stdev(rates)} if chosen and len(rates) > 1 else {},
        commentary=_commentary(votes, chosen),
    )


def majority(preferences: Sequence[Preference]) -> Preference:
    """Return what more than half of the repeats say; where nothing does, it is a tie."""
    preference, count = Counter(preferences).most_common(1)[0]
    return preference if 2 * count > len(preferences) else "tie"


def preference_of(verdict: Verdict) -> Preference | None:
    """Return which side a pairwise verdict prefers, None where it is unscored."""
    if WIN_RATE not in verdict.values:
        return None
    if verdict.values.get(FLIPPED):
        return "inconsistent"
    value = verdict.values[WIN_RATE]
    return "candidate" if value == WIN else "baseline" if value == LOSS else "tie"


def _values(chosen: Preference) -> dict[str, float]:
    flipped = 100.0 if chosen == "inconsistent" else 0.0
    return {WIN_RATE: _WIN_RATES[chosen], FLIPPED: flipped}


def _commentary(votes: Sequence[Vote], chosen: Preference | None) -> str:
    """Return the reasons of the first repeat that says what was chosen, behind what each says."""
    typical = next((vote for vote in votes if vote.preference == chosen), votes[0])
    if len(votes) == 1:
        return typical.commentary
    each = ", ".join(vote.preference or vote.cause for vote in votes)
    return f"Repeats: {each} | {typical.commentary}"


async def _vote(session: Session, sample: Sample, own: str, other: str, bill: Bill) -> Vote:
    (first, why), (second, reason) = await asyncio.gather(
        _choose(session, sample, own, other, bill), _choose(session, sample, other, own, bill)
    )
    reasons = f"Candidate first: {why} | Baseline first: {reason}"
    for reply in (first, second):
        if not isinstance(reply, str):
            return Vote(preference=None, cause=reply.cause, commentary=reasons)
    same = first == _SWAPPED[str(second)]
    preference = _PREFERENCES[str(first)] if same else "inconsistent"
    return Vote(preference=preference, cause="", commentary=reasons)


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
            form = form_of(session.rubric)
            chat = contract.repair(session.rubric, chat, reply.text, error, form)
        reply = await session.reply(chat, schema(), bill)
        return parse(reply.text, answers)
    except (CallError, ReplyError) as error:
        return error, f"{error.cause}: {error}"
