"""The purse of one sitting: how many verdicts the cap on the cost lets begin side by side.

Each holds what it is likely to cost: what the prompts take, and per request as much output as the
replies so far. One that does not fit waits for what is in flight, whose cost may be lower, and is
refused only where nothing is. Before the first reply nobody knows how long one is, so that beside
others a verdict holds the most that it can cost. What is paid counts request by request, and none
is sent once the cap is reached: it is passed by no more than the requests in flight then.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from assay.judge.cost import Budget, Price, Usage
from assay.judge.log import NOT_JUDGED
from assay.judge.outcome import CallError

USUAL_OUTPUT = 128  # tokens of a verdict's JSON with its commentary, before a reply has shown it
_ROUNDING = 1e-9  # of the cap: sums of costs are off in their last digits


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a verdict is likely to need: so many `requests`, with `prompt` tokens in all."""

    requests: int
    prompt: int


class Usual:
    """What the verdicts of one judge usually take, from those that it gave."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen = 0
        self._expected = self._prompt = self._output = 0

    def learn(self, expected: Expected, prompt: int, output: int) -> None:
        """Count a verdict that took so many prompt and output tokens."""
        if prompt and expected.prompt:
            self.seen += expected.requests
            self._expected += expected.prompt
            self._prompt += prompt
            self._output += output

    def of(self, expected: Expected, *, beside: bool) -> tuple[float, float]:
        """Return the prompt and output tokens that a verdict is likely to take; before any was
        seen, `beside` others the most output that it may."""
        if self.seen:
            share = self._prompt / self._expected
            return expected.prompt * share, expected.requests * self._output / self.seen
        each = self.most if beside else min(self.most, USUAL_OUTPUT)
        return expected.prompt, expected.requests * each


class Purse:
    """What one sitting may spend of the `budget`, for use inside one event loop."""

    def __init__(
        self, budget: Budget, price: Price | None, usual: Usual, *, by_batch: bool = False
    ) -> None:
        self._budget, self._price, self._usual = budget, price, usual
        self._by_batch = by_batch
        self.capped = budget.capped and price is not None and price != Price(input=0, output=0)
        self._held = 0.0
        self._begun = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def hold(self, expected: Expected) -> float | None:
        """Hold what a verdict is likely to cost, as soon as that fits beside what is in flight;
        return it for `free`, or None where it does not fit though nothing is."""
        async with self._turn:
            while not self._fits(likely := self._likely(expected)):
                if not self._begun or self._budget.left <= 0:
                    return None
                self._changed.clear()
                await self._changed.wait()
            self._held += likely
            self._begun += 1
            return likely

    def free(self, held: float) -> None:
        """Give back what a verdict held that has been given."""
        self._begun -= 1
        self._held = self._held - held if self._begun else 0.0
        self._changed.set()

    def check(self) -> None:
        """Raise CallError where the cap is reached, so that no further request is sent."""
        if self.capped and self._budget.left <= 0:
            raise CallError(NOT_JUDGED, refusal(self._budget))

    def pay(self, usage: Usage) -> None:
        """Count what a request took."""
        if self._price:
            tokens = usage.prompt, usage.output
            cost = self._price.of(*tokens, tokens if usage.by_batch else (0, 0))
            self._budget.pay(cost, estimated=usage.estimated)

    def _likely(self, expected: Expected) -> float:
        assert self._price  # noqa: S101  a purse that is capped has one
        tokens = self._usual.of(expected, beside=self._begun > 0)
        return self._price.of(*tokens, tokens if self._by_batch else (0, 0))

    def _fits(self, cost: float) -> bool:
        most = self._budget.left + _ROUNDING * self._budget.most
        return self._budget.left > 0 and self._held + cost <= most


def refusal(budget: Budget) -> str:
    """Return why a verdict was not asked for."""
    return f"judge.max_cost = {budget.most:g} leaves nothing for it ({budget})"
