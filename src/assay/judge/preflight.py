"""Before any GPU second: can this judge give a verdict at all?"""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from assay import progress, store
from assay.errors import JudgeError
from assay.judge import anchors, contract, rubric
from assay.judge.cost import price_of
from assay.judge.health import PROBES
from assay.judge.log import Case
from assay.judge.outcome import CallError
from assay.judge.rubric import Rubric
from assay.judge.seats import seats
from assay.judge.session import Session
from assay.judge.settings import JudgeSettings
from assay.judge.verdict import give
from assay.records import Message, Prediction, Sample, Verdict
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


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What judging will take: requests, tokens, wall seconds and cost (None without a price).

    Extrapolated from one verdict, so good to a factor of two: repairs and retries come on top, and
    an answer is taken to be as long as the target.
    """

    requests: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    cost: float | None


def check(settings: JudgeSettings, samples: Path | None = None, *, sides: int = 1) -> Estimate:
    """Check every judge of the panel as `check_one` does, and return what all of it will take."""
    estimates = [check_one(one, samples, sides=sides) for one in (settings, *seats(settings))]
    costs = [one.cost for one in estimates if one.cost is not None]
    return Estimate(
        requests=sum(one.requests for one in estimates),
        prompt_tokens=sum(one.prompt_tokens for one in estimates),
        output_tokens=sum(one.output_tokens for one in estimates),
        seconds=sum(one.seconds for one in estimates),
        cost=sum(costs) if costs else None,
    )


def describe_estimate(estimate: Estimate) -> str:
    """Return an estimate as one line for people."""
    cost = "" if estimate.cost is None else f", cost {estimate.cost:.3g}"
    return (
        f"the judge will take about {estimate.requests:,} requests, {estimate.prompt_tokens:,} + "
        f"{estimate.output_tokens:,} tokens, {progress.clock(estimate.seconds)}{cost}"
    )


def check_cost(settings: JudgeSettings, estimate: Estimate) -> None:
    """Raise JudgeError where judging is estimated to cost more than `max_cost`."""
    if settings.max_cost and estimate.cost is not None and estimate.cost > settings.max_cost:
        raise JudgeError(
            f"judge.max_cost = {settings.max_cost:g} does not pay for this run: "
            f"{describe_estimate(estimate)}",
            "Raise it, or judge fewer samples with judge.max_samples",
        )


def check_one(settings: JudgeSettings, samples: Path | None = None, *, sides: int = 1) -> Estimate:
    """Ask for one verdict, before anything is spent, and return what judging the `samples`
    (dataset.jsonl) of so many `sides` will take.

    The verdict is on the longest sample with its target as the answer, so that the judge's token
    budget is known to be enough; without samples on a fixed case. Raises JudgeError with the
    remedy where the key is missing or refused, the endpoint does not answer or speaks another
    protocol, serves no such model, has no price, or gives no valid verdict.
    """
    chosen = rubric.load(settings.rubric)
    price = price_of(settings.model, settings.prices, settings.max_cost)
    frozen = anchors.load(settings.anchors, chosen)
    case, lengths = _survey(settings, chosen, samples)
    quick = replace(
        settings, retries=min(settings.retries, 2), timeout_s=min(settings.timeout_s, LONGEST_S)
    )
    verdict = asyncio.run(_check(quick, chosen, case))
    beside = len(PROBES) * settings.self_test + len(frozen)
    each = sides * (len(chosen.parts()) if settings.one_call_each else 1) * settings.repeats
    pairs = 2 * (settings.pairwise and sides == 2) * settings.repeats
    requests = each * (len(lengths) + beside) + pairs * len(lengths)
    characters = each * (sum(lengths) + min(lengths) * beside) + pairs * sum(lengths)
    prompt = round(verdict.prompt_tokens / verdict.attempts * characters / max(lengths))
    output = round(verdict.output_tokens / verdict.attempts * requests)
    return Estimate(
        requests=requests,
        prompt_tokens=prompt,
        output_tokens=output,
        seconds=verdict.seconds / verdict.attempts * requests / min(settings.concurrency, requests),
        cost=price.of(prompt, output) if price else None,
    )


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
