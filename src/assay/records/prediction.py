"""What a side's model answered, or why it has no answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from assay.records.sample import Sample

Side = Literal["baseline", "candidate"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")
THOUGHT_UNENDED: Literal["thought_unended"] = "thought_unended"
Failure = Literal[
    "empty_prompt",
    "prompt_too_long",
    "unknown_word",
    "out_of_memory",
    "not_finite",
    "answer_filtered",  # these by an endpoint
    "answer_refused",
    "no_answer",
]
UNKNOWN_WORD: Literal["unknown_word"] = "unknown_word"
FAILURES: tuple[Failure, ...] = get_args(Failure)
UNANSWERED = (THOUGHT_UNENDED, *FAILURES)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One model's answer to one sample. `finish` is "length" where the answer was cut at
    max_new_tokens, "unknown" where a file does not say; `prompt_tokens` counts what the model saw,
    after truncation at cutoff_len.

    `output` is the answer alone, the `thought` before it apart; of the `output_tokens` the thought
    has `thought_tokens`, its marks among them. With generate.score_thoughts `output` is both, and
    `thought` "". Of a function call it is the JSON of name and arguments that the template reads in
    what was `written`. `unanswered` is the cause where there is no answer to score:
    thought_unended, or one of FAILURES, where the model could not be asked, said no numbers, or
    answered nothing behind its endpoint. `wanted` is the target in the same form, None where that
    is the sample's own text, and `wanted_thought` the thought before it.
    """

    id: str
    output: str
    finish: Literal["stop", "length", "unknown"]
    prompt_tokens: int
    output_tokens: int
    prompt_truncated: bool = False
    thought: str = ""
    written: str = ""
    unanswered: Literal["", "thought_unended"] | Failure = ""
    wanted: str | None = None
    thought_tokens: int = 0
    wanted_thought: str = ""


def as_wanted(sample: Sample, prediction: Prediction) -> Sample:
    """Return `sample` with the target that the `prediction` is to be compared with."""
    return sample if prediction.wanted is None else replace(sample, target=prediction.wanted)


Case = tuple[Sample, Prediction]
"""A sample with what a side answered."""
