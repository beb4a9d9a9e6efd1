"""What judging will take, extrapolated from one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay import progress
from assay.errors import JudgeError
from assay.judge.cost import Price
from assay.judge.mode import Calls
from assay.judge.settings import JudgeSettings
from assay.records import Verdict


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What judging will take: requests, tokens, wall seconds and cost (None without a price). How
    long what goes `by_batch` takes, nobody knows.

    Extrapolated from one verdict, so good to a factor of two: repairs and retries come on top, and
    an answer is taken to be as long as the target.
    """

    requests: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    cost: float | None
    by_batch: bool = False


def extrapolate(
    trial: Verdict,
    lengths: Sequence[int],
    calls: Sequence[Calls],
    settings: JudgeSettings,
    price: Price | None,
) -> Estimate:
    """Return what `calls`, a mode's each, of one judge will take where the verdict `trial` was on
    the longest of the prompts that have these `lengths` in characters."""
    samples = len(lengths)
    each = sum(mode.per_sample * (samples + min(mode.twice, samples)) for mode in calls)
    beside = sum(mode.beside for mode in calls)
    requests = each + beside
    characters = each * sum(lengths) / samples + beside * min(lengths)
    prompt = round(trial.prompt_tokens / trial.attempts * characters / max(lengths))
    output = round(trial.output_tokens / trial.attempts * requests)
    share = each / requests if settings.batch else 0.0
    by_batch = prompt * share, output * share
    return Estimate(
        requests=requests,
        prompt_tokens=prompt,
        output_tokens=output,
        seconds=trial.seconds / trial.attempts * requests / min(settings.concurrency, requests),
        cost=price.of(prompt, output, by_batch) if price else None,
        by_batch=settings.batch,
    )


def add_up(estimates: Iterable[Estimate]) -> Estimate:
    """Return what all of it will take, one judge after the other."""
    estimates = list(estimates)
    costs = [estimate.cost for estimate in estimates if estimate.cost is not None]
    return Estimate(
        requests=sum(estimate.requests for estimate in estimates),
        prompt_tokens=sum(estimate.prompt_tokens for estimate in estimates),
        output_tokens=sum(estimate.output_tokens for estimate in estimates),
        seconds=sum(estimate.seconds for estimate in estimates),
        cost=sum(costs) if costs else None,
        by_batch=any(estimate.by_batch for estimate in estimates),
    )


def describe_estimate(estimate: Estimate) -> str:
    """Return an estimate as one line for people."""
    takes = "hours by batch" if estimate.by_batch else progress.clock(estimate.seconds)
    cost = "" if estimate.cost is None else f", cost {estimate.cost:.3g}"
    return (
        f"the judge will take about {estimate.requests:,} requests, {estimate.prompt_tokens:,} + "
        f"{estimate.output_tokens:,} tokens, {takes}{cost}"
    )


def check_cost(settings: JudgeSettings, estimate: Estimate) -> None:
    """Raise JudgeError where judging is estimated to cost more than `max_cost`."""
    if settings.max_cost and estimate.cost is not None and estimate.cost > settings.max_cost:
        raise JudgeError(
            f"judge.max_cost = {settings.max_cost:g} does not pay for this run: "
            f"{describe_estimate(estimate)}",
            "Raise it, or judge fewer samples with judge.max_samples",
        )
