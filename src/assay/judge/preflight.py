"""Before any GPU second: can this judge give a verdict at all?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from assay import store
from assay.errors import JudgeError
from assay.folder import TRIALS
from assay.judge import contract, learned, rubric
from assay.judge.batch import api as batch_api
from assay.judge.causes import NOT_FOUND
from assay.judge.cost import Price, price_of
from assay.judge.estimate import Estimate, add_up, extrapolate
from assay.judge.ledger import budget_of_run
from assay.judge.log import identity, rows
from assay.judge.mode import Calls
from assay.judge.modes import MODES
from assay.judge.remedies import remedy
from assay.judge.rubric import Rubric
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.verdict import give
from assay.records import Case, Message, Prediction, Sample, Verdict
from assay.text import flat

LONGEST_S = 60.0

_SAMPLE = Sample(
    id="preflight",
    messages=(Message(role="user", content="What is the capital of France?"),),
    target="Paris",
)
_PREDICTION = Prediction(
    id="preflight", output="It is Paris.", finish="stop", prompt_tokens=0, output_tokens=0
)


def check(settings: JudgeSettings, samples: Path | None = None, *, sides: int = 1) -> Estimate:
    """Check every judge that a mode asks as `check_one` does, and return what judging the `samples`
    (dataset.jsonl) of so many `sides` will take."""
    asked: dict[tuple[str, str], tuple[JudgeSettings, list[Calls]]] = {}
    for mode in MODES:
        for judge in mode.judges(settings, sides):
            _, calls = asked.setdefault((judge.model, judge.endpoint), (judge, []))
            calls.append(mode.calls(judge, sides))
    return add_up(check_one(judge, calls, samples) for judge, calls in asked.values())


def check_one(
    settings: JudgeSettings, calls: Sequence[Calls], samples: Path | None = None
) -> Estimate:
    """Ask one judge for one verdict, before anything is spent, and return what its `calls`, each
    mode's, will take.

    The verdict is on the longest sample with its target as the answer, so that the judge's token
    budget is known to be enough; without samples on a fixed case. Raises JudgeError with the
    remedy where the key is missing or refused, the endpoint does not answer or speaks another
    protocol, knows no such model, has no price, or gives no valid verdict.
    """
    chosen = rubric.load(settings.rubric)
    price = price_of(settings.model, settings.prices, settings.max_cost)
    case, lengths = _survey(settings, chosen, samples)
    quick = replace(
        settings,
        retries=min(settings.retries, 2),
        max_wait_s=min(settings.max_wait_s, LONGEST_S),
        outage_s=0.0,  # now it may also be the address that is wrong
    )
    name = identity(settings, chosen)
    if earlier := _earlier(settings, name, samples):
        return extrapolate(earlier, lengths, calls, settings, price)
    trial, models = asyncio.run(_try(quick, chosen, case))
    if price and samples:
        _keep(trial, name, price, samples.with_name(TRIALS))
    for cause in trial.unscored.values():
        raise _judge_error(settings, cause, trial.commentary, case[0].id, models)
    return extrapolate(trial, lengths, calls, settings, price)


def _earlier(settings: JudgeSettings, name: str, samples: Path | None) -> Verdict | None:
    """Return the last trial in a run whose cap is reached, which another one would pass."""
    if not samples or budget_of_run(settings, samples.parent, samples).left > 0:
        return None
    trials = samples.with_name(TRIALS)
    given = [row for row in rows(trials) if row.key == name] if trials.is_file() else []
    return next((row for row in reversed(given) if not row.unscored), None)


def _keep(trial: Verdict, name: str, price: Price, log: Path) -> None:
    """Keep what a trial cost: it is of the run's money, and tells what a verdict is likely to."""
    cost = price.of(trial.prompt_tokens, trial.output_tokens)
    with store.appending(log) as file:
        store.append(file, replace(trial, key=name, cost=cost))


def _survey(
    settings: JudgeSettings, chosen: Rubric, samples: Path | None
) -> tuple[Case, list[int]]:
    """Return the longest case, and the length of each case's prompt in characters."""
    longest: Case = (_SAMPLE, _PREDICTION)
    lengths: list[int] = []
    rows = store.read_rows(samples, Sample) if samples else [_SAMPLE]
    for sample in islice(rows, settings.max_samples or None):
        case = (
            sample,
            replace(_PREDICTION, id=sample.id, output=sample.target or _PREDICTION.output),
        )
        length = sum(len(message["content"]) for message in contract.ask_for(chosen, *case))
        if length > max(lengths, default=0):
            longest = case
        lengths.append(length)
    if not lengths:
        raise JudgeError(f"{samples} has no samples to judge", "Choose another dataset")
    return longest, lengths


async def _try(
    settings: JudgeSettings, chosen: Rubric, case: Case
) -> tuple[Verdict, Sequence[str]]:
    """Return the judge's verdict, and where it knows no such model, those that it serves."""
    known = learned.recall(settings)
    async with Session(settings, chosen, known, tell=_said_once()) as session:
        # it may take minutes to answer; by now the endpoint is known to hold no password
        print(flat(f"asking {settings.model} at {settings.endpoint} for a verdict"), flush=True)
        if settings.batch:
            await batch_api.check(session.endpoint, settings.retries)
        verdict = await give(session, case, "")
        # the list is a hint alone: many endpoints have none, or other names in it
        unknown = NOT_FOUND in list(verdict.unscored.values())[:1]
        return verdict, await session.endpoint.models() if unknown else []


def _said_once() -> Callable[[str], None]:
    told: list[str] = []

    def tell(what: str) -> None:
        if what and not told:
            print(what, flush=True)
        told[:] = [what] if what else []

    return tell


def _judge_error(
    settings: JudgeSettings, cause: str, commentary: str, sample: str, models: Sequence[str]
) -> JudgeError:
    detail = commentary.removeprefix(f"{cause}: ")
    what = remedy(settings, cause, detail, models)
    if models and settings.model not in models:
        return JudgeError(
            f"The endpoint {settings.endpoint} serves no model {settings.model!r}: {detail}", what
        )
    return JudgeError(
        f"The judge {settings.model} at {settings.endpoint} gives no verdict: {cause}: {detail} "
        f"(sample {sample})",
        what,
    )
