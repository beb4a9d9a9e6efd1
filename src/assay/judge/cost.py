"""What verdicts cost, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from assay.errors import JudgeError
from assay.records import Verdict

MILLION = 1_000_000


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


def by_batch(paid: Sequence[Verdict]) -> tuple[int, int]:
    """Return how many prompt and output tokens of verdicts went by batch."""
    prompt = sum(verdict.batch_prompt_tokens for verdict in paid)
    return prompt, sum(verdict.batch_output_tokens for verdict in paid)


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


class Budget:
    """A cap on the cost of one run: each verdict reserves the most it may cost in one request, and
    none begins that might not fit."""

    def __init__(self, price: Price | None, most: float) -> None:
        self.capped = most > 0
        self._price = price
        self._most = most
        self._reserved = 0.0
        self.spent = 0.0

    def reserve(
        self, prompt_tokens: int, output_tokens: int, *, by_batch: bool = False
    ) -> float | None:
        """Return the reserved sum, or None where it would go over the cap."""
        if self._price is None:
            return 0.0
        tokens = prompt_tokens, output_tokens
        cost = self._price.of(*tokens, tokens if by_batch else (0, 0))
        if self.capped and self.spent + self._reserved + cost > self._most:
            return None
        self._reserved += cost
        return cost

    def settle(
        self,
        reserved: float,
        prompt_tokens: int,
        output_tokens: int,
        by_batch: tuple[int, int] = (0, 0),
    ) -> None:
        """Replace a reservation by what was really used."""
        self._reserved -= reserved
        if self._price is not None:
            self.spent += self._price.of(prompt_tokens, output_tokens, by_batch)
