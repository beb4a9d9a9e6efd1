"""What is said of one prediction, or of all those of a side at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one scorer says of one prediction: metric name -> value, and for each metric that has
    no value, metric name -> cause."""

    id: str
    values: Mapping[str, float]
    unscored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Likelihood(Score):
    """How likely a model finds the target of one sample, given the turns before it: `eval_loss`,
    the mean cross-entropy of its `tokens` (its end among them) in nats, and `accuracy`, the share
    of them that are the model's first choice, 0 to 1."""

    tokens: int


@dataclass(frozen=True, kw_only=True)
class Verdict(Score):
    """The judge's score for one prediction: dimension -> score, and a one-line commentary.

    `key` identifies everything the verdict depends on (prediction, rubric, judge, parameters), so
    that a verdict is paid for once. With repeats a value is the median over them, and `spread` the
    standard deviation within the item. Tokens are those the endpoint reported, over all `attempts`,
    or `estimated` from the text where it reported none; of them the batch tokens have the price of
    a batch. `seconds` is the wall time from the first request to the last answer. `cost` is what
    was paid for this row, None where that had no price.
    """

    key: str
    commentary: str = ""
    spread: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    batch_prompt_tokens: int = 0
    batch_output_tokens: int = 0
    estimated: bool = False
    cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """One number over all `n` samples that have a target and an answer, which is no mean of scores;
    None where n is 0. `signature` says exactly what was computed, "" where the name does."""

    name: str
    value: float | None
    n: int
    signature: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelPair:
    """The labels that are read in the target of one sample, `wanted`, and in the output, `given`:
    "" where there is none. `cause` is why the two are not compared, "" where they are."""

    id: str
    wanted: str
    given: str
    cause: str = ""
