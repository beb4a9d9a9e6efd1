"""What verdicts cost, and what a run may cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from assay.errors import JudgeError
from assay.records import Verdict

MILLION = 1_000_000
MOST_BYTES = 12  # of text in one token, on average: no tokeniser writes as much with fewer


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million prompt and output tokens cost, in whatever currency the user counts in, and
    which share of that is paid where they go by batch."""

    input: Annotated[float, Ge(0)]
    output: Annotated[float, Ge(0)]
    batch: Annotated[float, Ge(0), Le(1)] = 0.5

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt price is refused

    def of(
        self, prompt_tokens: float, output_tokens: float, by_batch: tuple[float, float] = (0, 0)
    ) -> float:
        """Return the price of so many tokens, of which so many prompt and output tokens went
        `by_batch`."""
        off = 1 - self.batch
        prompt, output = prompt_tokens - off * by_batch[0], output_tokens - off * by_batch[1]
        return (self.input * prompt + self.output * output) / MILLION


@dataclass(kw_only=True)
class Paid:
    """What verdicts took together: requests and tokens, those of batches too, and how many of them
    are `estimated`."""

    requests: int = 0
    prompt: int = 0
    output: int = 0
    batch_prompt: int = 0
    batch_output: int = 0
    estimated: int = 0

    def add(self, verdict: Verdict) -> None:
        """Add what one verdict took."""
        self.requests += verdict.attempts
        self.prompt += verdict.prompt_tokens
        self.output += verdict.output_tokens
        self.batch_prompt += verdict.batch_prompt_tokens
        self.batch_output += verdict.batch_output_tokens
        self.estimated += verdict.estimated

    def cost(self, price: Price | None) -> float | None:
        """Return what it cost, None without a price."""
        batch = self.batch_prompt, self.batch_output
        return price.of(self.prompt, self.output, batch) if price else None


def price_of(model: str, prices: Mapping[str, Price], max_cost: float) -> Price | None:
    """Return the model's price, or None where no prices are given.

    Raises JudgeError where there is a price table, or a cap on the cost, without the model."""
    if model in prices:
        return prices[model]
    if prices or max_cost:
        table = f" (it has {', '.join(sorted(prices))})" if prices else ""
        raise JudgeError(
            f"judge.prices has no price for {model!r}{table}",
            f"Add judge.prices.{model} with input and output, per million tokens",
        )
    return None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The prompt and output tokens of one request, `estimated` where the endpoint counted none, and
    whether it went `by_batch`."""

    prompt: int
    output: int
    estimated: bool = False
    by_batch: bool = False


def usage_of(counted: tuple[int, int], sent: int, written: int | None, cut: int = 0) -> Usage:
    """Return what one request took: the prompt and output tokens that the endpoint `counted`, and
    for those that it did not (0, or far fewer than what it has `written`, in bytes, can be), about
    as many as the text has: `sent` tokens of the prompt, and those of the reply, or all that it
    might write where it was `cut` at so many. Nothing where nothing was written (None) or counted.
    """
    prompt, output = counted
    if written is None:
        return Usage(prompt=prompt, output=output)
    enough = written // MOST_BYTES
    uncounted = output < enough or (not output and (written > 0 or not prompt))
    if prompt and not uncounted:
        return Usage(prompt=prompt, output=output)
    output = max(cut, tokens_of(written)) if uncounted else output
    return Usage(prompt=prompt or sent, output=output, estimated=True)


def tokens_of(size: int) -> int:
    """Return about how many tokens a text of so many bytes of UTF-8 takes, rather too many: three
    bytes make one, as for Chinese; English takes fewer."""
    return size // 3 + 4


class Budget:
    """What one run may cost at `most` (0: no cap) and what of that is `spent`, `estimated` where
    some endpoint counted no tokens: one for all judges, sides and ways of judging."""

    def __init__(self, most: float = 0.0, spent: float = 0.0, *, estimated: bool = False) -> None:
        self.most = most
        self.spent = spent
        self.estimated = estimated

    @property
    def capped(self) -> bool:
        """Whether there is a cap."""
        return self.most > 0

    @property
    def left(self) -> float:
        """How much may still be spent, without a cap anything; 0 and less where it is reached."""
        return self.most - self.spent if self.capped else math.inf

    def pay(self, cost: float, *, estimated: bool) -> None:
        """Count what a request has cost."""
        self.spent += cost
        self.estimated |= estimated

    def __str__(self) -> str:
        """Say what was spent of what cap, "" where nothing was."""
        if not self.spent and not self.capped:
            return ""
        about = "about " if self.estimated else ""
        return f"cost {about}{self.spent:.4g}" + (f" of {self.most:g}" if self.capped else "")
