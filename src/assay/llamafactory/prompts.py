"""Samples -> token ids -> predictions: LLaMA-Factory's tokenizer, template and truncation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.llamafactory import thought, vocabulary
from assay.llamafactory.answer import Reader, decode, read, reader, until_end
from assay.llamafactory.job import GenerateJob, decoding, loading
from assay.llamafactory.readable import accepted
from assay.records import UNKNOWN_WORD, Failure, Prediction, Sample

# What a template raises on a function call that it has no form for, such as arguments that are no
# object.
UNWRITABLE = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)
ANSWERING = "generate.llamafactory"
ROLES = {
    "user": "user",
    "assistant": "assistant",
    "function_call": "function",
    "observation": "observation",
}


Written = list[int] | Failure
"""The ids that a model wrote after a prompt, or why it could not be asked."""


@dataclass(frozen=True, kw_only=True)
class Coder:
    """How one model's prompts are written and its answers read: `reading`, and the ids that `ends`
    an answer, the tokenizer's own first. `model`, `finetuning` and `generating` are the arguments
    that LLaMA-Factory loads it with, and `loaded` its weights where this process has them;
    `folder` is where an engine may keep what it needs meanwhile, None for a temporary place."""

    reading: Reader
    ends: tuple[int, ...]
    model: Any
    finetuning: Any
    generating: Any
    loaded: Any = None
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One sample as the model sees it: token ids, and whether cutoff_len cut any off. `wanted` is
    its target as the template makes it, None where that is the sample's own text, and `thought` the
    thought before it; `opened` is whether it begins within one, so that an answer may. `unknown` is
    whether it has a word that the model has no place for."""

    id: str
    tokens: list[int]
    truncated: bool
    calls: bool
    wanted: str | None
    thought: str = ""
    opened: bool = False
    unknown: bool = False


def coder(job: GenerateJob) -> Coder:
    """Return what LLaMA-Factory makes of a job before it loads any weights. Raises SettingsError
    for what it refuses, and as `vocabulary.load`."""
    from llamafactory.hparams import get_infer_args

    with accepted(ANSWERING, job.settings["llamafactory"]):
        model, data, finetuning, generating = get_infer_args(loading(job) | decoding(job))
    words = vocabulary.load(model, data, job.base_name, "generate")
    added = model.add_special_tokens or []
    ends = _ends(words.tokenizer, added)
    reading = reader(
        words.tokenizer,
        words.template,
        ends,
        added,
        generating.skip_special_tokens,
        whole=job.settings["score_thoughts"],
        given=job.settings["thought_marks"],
    )
    return Coder(
        reading=replace(reading, unknown=words.unknown),
        ends=tuple(id_ for id_ in ends if id_ not in words.unknown),
        model=model,
        finetuning=finetuning,
        generating=generating,
    )


def encode(row: Sample, reading: Reader, cutoff_len: int) -> Prompt:
    """Return the prompt's token ids as LLaMA-Factory's UnsupervisedDatasetProcessor makes them,
    its truncation (which leaves room for the target) included, and what its target comes to."""
    from llamafactory.data.processor.processor_utils import infer_seqlen

    tokens, target = pair(row, reading)
    length, _ = infer_seqlen(len(tokens), len(target), cutoff_len)
    calls = row.target_role == "function_call"
    target = until_end(target, reading.ends)
    wanted = read(reading, target, calls)
    return Prompt(
        id=row.id,
        tokens=tokens[:length],
        truncated=length < len(tokens),
        calls=wanted.is_call,
        wanted=None if wanted.text == row.target else wanted.text,
        thought=wanted.thought,
        opened=thought.is_opened(decode(reading, target), reading.marks),
        unknown=not reading.unknown.isdisjoint(tokens[:length]),
    )


def misfit(prompt: Prompt, context: int) -> Failure | None:
    """Return why a model with so many places (0: any number) cannot be asked a prompt, None where
    it can."""
    if not prompt.tokens:
        return "empty_prompt"
    if context and len(prompt.tokens) >= context:
        return "prompt_too_long"
    return UNKNOWN_WORD if prompt.unknown else None


def pair(row: Sample, reading: Reader) -> tuple[list[int], list[int]]:
    """Return the token ids of a sample's prompt, before any truncation, and of its target. Raises
    InputError where the template cannot write it."""
    tokenizer, template = reading.tokenizer, reading.template
    with writable(row):
        prompt, target = template.encode_oneturn(tokenizer, turns(row), system(row), row.tools)
    return prompt, [*target, tokenizer.eos_token_id] if template.efficient_eos else target


def turns(row: Sample) -> list[dict[str, str]]:
    """Return a sample's turns as LLaMA-Factory has them, its target the last."""
    before = [turn for turn in row.messages if turn.role != "system"]
    return [
        *({"role": ROLES[turn.role], "content": turn.content} for turn in before),
        {"role": ROLES[row.target_role], "content": row.target},
    ]


def system(row: Sample) -> str:
    """Return a sample's system prompt, "" for none."""
    return "".join(turn.content for turn in row.messages if turn.role == "system")


@contextmanager
def writable(row: Sample) -> Iterator[None]:
    """Raise InputError where the template cannot write a sample in the body."""
    try:
        yield
    except UNWRITABLE as error:
        raise InputError(
            f"id={row.id}: the template cannot write this function call: {error}",
            "Correct the call, use a template that can, or leave the sample out",
        ) from error


def prediction(prompt: Prompt, ids: list[int], reading: Reader) -> Prediction:
    """Return what the ids that a model wrote after a prompt, its end among them, come to."""
    written = until_end(ids, reading.ends)
    is_cut = len(written) == len(ids)
    opened = prompt.opened and is_cut
    answer = read(reading, written, prompt.calls, opened=opened)
    return Prediction(
        id=prompt.id,
        output=answer.text,
        finish="length" if is_cut else "stop",
        prompt_tokens=len(prompt.tokens),
        output_tokens=len(written),
        prompt_truncated=prompt.truncated,
        thought=answer.thought,
        written=answer.written,
        unanswered=answer.unanswered,
        wanted=prompt.wanted,
        wanted_thought=prompt.thought,
        thought_tokens=thought.tokens(
            written, reading.marks, partial(decode, reading), opened=opened
        ),
    )


def failed(prompt: Prompt, cause: Failure) -> Prediction:
    """Return the row of a prompt that has no answer, because of `cause`."""
    return Prediction(
        id=prompt.id,
        output="",
        finish="stop",
        prompt_tokens=len(prompt.tokens),
        output_tokens=0,
        prompt_truncated=prompt.truncated,
        unanswered=cause,
        wanted=prompt.wanted,
        wanted_thought=prompt.thought,
    )


def _ends(tokenizer: Any, added: Sequence[str]) -> tuple[int, ...]:
    """Return all end tokens, as LLaMA-Factory passes them to `model.generate`. A token that the
    settings `added` is a word of the data, no end."""
    words = [str(token) for token in tokenizer._extra_special_tokens if str(token) not in added]
    extra = tokenizer.convert_tokens_to_ids(words)
    return tuple(dict.fromkeys([tokenizer.eos_token_id, *(i for i in extra if i != -1)]))
