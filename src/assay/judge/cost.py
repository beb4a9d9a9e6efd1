"""What verdicts cost, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from assay.errors import JudgeError

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million prompt and output tokens cost, in whatever currency the user counts in."""

    input: Annotated[float, Ge(0)]
    output: Annotated[float, Ge(0)]

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt price is refused

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return the price of so many tokens."""
        return (self.input * prompt_tokens + self.output * output_tokens) / MILLION


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

    def reserve(self, prompt_tokens: int, output_tokens: int) -> float | None:
        """Return the reserved sum, or None where it would go over the cap."""
        if self._price is None:
            return 0.0
        cost = self._price.of(prompt_tokens, output_tokens)
        if self.capped and self.spent + self._reserved + cost > self._most:
            return None
        self._reserved += cost
        return cost

    def settle(self, reserved: float, prompt_tokens: int, output_tokens: int) -> None:
        """Replace a reservation by what was really used."""
        self._reserved -= reserved
        if self._price is not None:
            self.spent += self._price.of(prompt_tokens, output_tokens)
