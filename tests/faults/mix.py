"""The faults of a bad day at a judge's endpoint, in fixed shares, drawn by a seeded generator."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from tests.faults.endpoint import Answer, Body, chat, error, scores


@dataclass
class FaultMix:
    """A handler: each request meets a fault with its share, or a verdict after `delay` seconds.

    `late` is how long a timeout takes; what never answers takes a thousand seconds."""

    seed: int
    delay: float
    late: float
    sent: Counter[str] = field(default_factory=Counter)

    SHARES: ClassVar[dict[str, float]] = {
        "rate_limited": 0.20,
        "server_error": 0.05,
        "malformed": 0.05,
        "out_of_range": 0.03,
        "truncated": 0.03,
        "timeout": 0.03,
        "dropped": 0.02,
        "never": 0.01,
    }

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __call__(self, body: Body) -> Answer:  # noqa: ARG002
        kinds = [*self.SHARES, "good"]
        weights = [*self.SHARES.values(), 1 - sum(self.SHARES.values())]
        (kind,) = self._random.choices(kinds, weights)
        self.sent[kind] += 1
        return self._answer(kind)

    def _answer(self, kind: str) -> Answer:
        delay = self.delay
        if kind == "rate_limited":
            headers = {"Retry-After": f"{delay:.3f}"}
            return error(429, "Too many requests", headers=headers, delay=delay)
        if kind == "server_error":
            return error(500, "Internal error", delay=delay)
        if kind == "malformed":
            return chat('{"commentary": "Good", "overall": ', delay=delay)
        if kind == "out_of_range":
            return chat(scores(7, overall=11), delay=delay)
        if kind == "truncated":
            return chat('{"commentary": "It is', finish="length", delay=delay)
        if kind in ("timeout", "never"):
            return chat(scores(), delay=self.late if kind == "timeout" else 1000)
        if kind == "dropped":
            return Answer(drop=True, delay=delay)
        return chat(scores(), delay=delay)
