"""Before any GPU second: can this judge give a verdict at all?"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from assay import store
from assay.errors import JudgeError
from assay.judge import contract, rubric
from assay.judge.cost import price_of
from assay.judge.estimate import Estimate, add_up, extrapolate
from assay.judge.mode import Calls
from assay.judge.modes import MODES
from assay.judge.outcome import CallError
from assay.judge.rubric import Rubric
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.verdict import give
from assay.records import Case, Message, Prediction, Sample, Verdict
from assay.text import one_line

LONGEST_S = 60.0
LONGEST_NAME = 80

_SAMPLE = Sample(
    id="preflight",
    messages=(Message(role="user", content="What is the capital of France?"),),
    target="Paris",
)
_PREDICTION = Prediction(
    id="preflight", output="It is Paris.", finish="stop", prompt_tokens=0, output_tokens=0
)
_REMEDIES = {
    "auth": "Set the environment variable {key} to a key that this endpoint accepts",
    "no_key": "Name the environment variable of a key for this endpoint in its api_key_env",
    "rate_limited": "Wait, or ask for a higher limit; then try again",
    "truncated": "Raise judge.max_tokens (now {max_tokens})",
    "context_overflow": "Use a judge with a longer context, or a shorter rubric",
    "timeout": "Check that the endpoint is up, or raise judge.timeout_s",
    "server_error": "Check that judge.endpoint is the base URL of an OpenAI-compatible server",
}


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
    protocol, serves no such model, has no price, or gives no valid verdict.
    """
    chosen = rubric.load(settings.rubric)
    price = price_of(settings.model, settings.prices, settings.max_cost)
    case, lengths = _survey(settings, chosen, samples)
    quick = replace(
        settings, retries=min(settings.retries, 2), timeout_s=min(settings.timeout_s, LONGEST_S)
    )
    trial = asyncio.run(_check(quick, chosen, case))
    return extrapolate(trial, lengths, calls, settings, price)


def _survey(
    settings: JudgeSettings, chosen: Rubric, samples: Path | None
) -> tuple[Case, list[int]]:
    """Return the longest case, and the length of each case's prompt in characters."""
    longest: Case = (_SAMPLE, _PREDICTION)
    lengths: list[int] = []
    rows = store.read_rows(samples, Sample) if samples else [_SAMPLE]
    for sample in islice(rows, settings.max_samples or None):
        case = sample, replace(_PREDICTION, id=sample.id, output=sample.target)
        length = sum(len(message["content"]) for message in contract.ask_for(chosen, *case))
        if length > max(lengths, default=0):
            longest = case
        lengths.append(length)
    if not lengths:
        raise JudgeError(f"{samples} has no samples to judge", "Choose another dataset")
    return longest, lengths


async def _check(settings: JudgeSettings, chosen: Rubric, case: Case) -> Verdict:
    try:
        async with Session(settings, chosen) as session:
            # it may take minutes to answer; by now the endpoint is known to hold no password
            print(f"asking {settings.model} at {settings.endpoint} for a verdict", flush=True)
            async with asyncio.timeout(settings.timeout_s):
                _check_model(settings, await session.endpoint.models())
            verdict = await give(session, case, "")
    except CallError as error:
        raise _judge_error(settings, error.cause, str(error)) from None
    except TimeoutError:
        raise _judge_error(settings, "timeout", "it did not answer in time") from None
    for cause in verdict.unscored.values():
        detail = verdict.commentary.removeprefix(f"{cause}: ")
        raise _judge_error(settings, cause, f"{detail} (sample {case[0].id})")
    return verdict


def _check_model(settings: JudgeSettings, models: list[str] | None) -> None:
    if models is None or settings.model in models:
        return
    near = difflib.get_close_matches(settings.model, models, n=1) or models[:5]
    names = ", ".join(one_line(name)[:LONGEST_NAME] for name in near)
    raise JudgeError(
        f"The endpoint {settings.endpoint} serves no model {settings.model!r}",
        f"Set judge.model to one it serves, such as {names}" if near else "Load a model",
    )


def _judge_error(settings: JudgeSettings, cause: str, detail: str) -> JudgeError:
    lacking = cause == "auth" and not settings.api_key_env
    remedy = _REMEDIES.get(
        "no_key" if lacking else cause, "Choose another judge.model, or correct judge's settings"
    )
    return JudgeError(
        f"The judge {settings.model} at {settings.endpoint} gives no verdict: {cause}: {detail}",
        remedy.format(key=settings.api_key_env, max_tokens=settings.max_tokens),
    )
