"""Samples -> tokens, as LLaMA-Factory makes them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import hub, store
from assay.dataset.findings import Spread, spread
from assay.dataset.selection import draw
from assay.errors import DatasetError, InputError, MissingExtraError, ModelError
from assay.records import Role, Sample

if TYPE_CHECKING:
    from concurrent.futures import Executor

MEASURED = 10_000
SEED = 42


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """How tokens are counted: with the tokenizer of `model` (a directory, URI or hub id) in the
    conversation `template` of LLaMA-Factory; what is longer than `cutoff_len` is cut."""

    model: str
    template: str
    cutoff_len: int


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """The samples' lengths in `tokens`, prompt and target: `truncated` of the `measured` ones are
    longer than `cutoff_len`."""

    tokens: Spread
    cutoff_len: int
    measured: int
    truncated: int


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """Lengths that cannot be told on this machine, and the `cause`."""

    cause: str


def measure(asked: Sequence[tuple[Sequence[Sample], Tokens]]) -> list[Lengths | Unmeasured]:
    """Return the lengths of each of the samples `asked` for, at most 10,000 of them drawn, or why
    they cannot be told on this machine: nothing is downloaded from a hub.

    It takes a process of its own, one for all, so that torch does not stay in this one.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return [_measure(samples, how, pool) for samples, how in asked]


def _measure(samples: Sequence[Sample], how: Tokens, pool: Executor) -> Lengths | Unmeasured:
    if missing := _missing(how.model):
        return Unmeasured(cause=missing)
    places = draw([sample.id for sample in samples], MEASURED, SEED)
    drawn = [samples[place] for place in places]
    counts = pool.submit(_count_or_cause, drawn, how).result()
    if isinstance(counts, Unmeasured):
        return counts
    return Lengths(
        tokens=spread("tokens", counts),
        cutoff_len=how.cutoff_len,
        measured=len(counts),
        truncated=sum(count > how.cutoff_len for count in counts),
    )


def _missing(model: str) -> str:
    """Why there is no need to try, "" where there is."""
    if importlib.util.find_spec("llamafactory") is None:
        return "LLaMA-Factory is not installed here"
    if Path(model).is_file():
        return f"{model} is a file and has no tokenizer"
    if Path(model).is_dir() and not any(Path(model).glob("token*")):
        return f"{model} has no tokenizer"
    return ""


def _count_or_cause(samples: Sequence[Sample], how: Tokens) -> list[int] | Unmeasured:
    try:
        return count_tokens(samples, how.model, how.template, download=False)
    except InputError as error:
        return Unmeasured(cause=error.what)


def count_tokens(
    samples: Sequence[Sample], model: str, template: str, *, download: bool = True
) -> list[int]:
    """Return the tokens of each sample, prompt and target, in the conversation `template` of
    LLaMA-Factory ("": the model's own) and with the tokenizer of the `model`: a directory, a URI,
    or a hub id, which needs `download` unless it is here. Raises ModelError."""
    form, tokenizer = _form(_directory(model), template, download)
    return [_count(sample, form, tokenizer) for sample in samples]


def _directory(model: str) -> str:
    return str(store.cached(model, weights=False)) if store.is_remote(model) else model


# what files that may hold anything raise; of tokenizer.json also Exception itself
_UNREADABLE = (AttributeError, LookupError, OSError, TypeError, ValueError)


def _form(model: str, template: str, download: bool) -> tuple[Any, Any]:
    # LLaMA-Factory logs to the standard output that it finds when it is imported
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            from llamafactory.data.template import get_template_and_fix_tokenizer
            from llamafactory.hparams import DataArguments
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtraError("llamafactory", "finetune") from None
        try:
            named, revision = hub.split(model)
            tokenizer = AutoTokenizer.from_pretrained(
                named,
                revision=revision or "main",
                local_files_only=not download,
                trust_remote_code=False,  # unset, transformers asks on the terminal
            )
            arguments = DataArguments(template=template or None)
            return get_template_and_fix_tokenizer(tokenizer, arguments), tokenizer
        except Exception as error:
            if type(error) is not Exception and not isinstance(error, _UNREADABLE):
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"{model} has no usable tokenizer or template: {reason}",
                "Name a model directory, and a template that LLaMA-Factory knows",
            ) from None


def _count(sample: Sample, form: Any, tokenizer: Any) -> int:
    system, turns = "", sample.messages
    if turns[0].role == "system":
        system, turns = turns[0].content, turns[1:]
    messages = [_message(turn.role, turn.content) for turn in turns]
    messages.append(_message(sample.target_role, sample.target))
    try:
        pairs = form.encode_multiturn(tokenizer, messages, system, sample.tools)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(
            f"id={sample.id}: the template cannot write this function call: {error}",
            "Correct the call, use a template that can, or leave the sample out",
        ) from None
    return sum(len(asked) + len(answered) for asked, answered in pairs)


def _message(role: Role, content: str) -> dict[str, str]:
    return {"role": "function" if role == "function_call" else role, "content": content}
