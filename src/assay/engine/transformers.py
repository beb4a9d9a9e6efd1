"""LLaMA-Factory's model and transformers' loop as an engine, in batches of similar length.

LLaMA-Factory's do_predict takes them in the order of the file, and keeps nothing until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.engine.batches import in_windows
from assay.engine.finite import watch_numbers
from assay.engine.loading import load
from assay.llamafactory import generation_config
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt, Written
from assay.records import Failure

Answered = list[tuple[Prompt, Written]]


def _every(_batch: int) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """The loop of this process, with the weights that `job` names. It answers the batches that it
    can `claim` by their number, but for the prompts that are `done`."""

    job: GenerateJob
    claim: Callable[[int], bool] = _every
    done: Collection[str] = ()

    def answer(self, coder: Coder, prompts: Iterable[Prompt]) -> Iterator[Answered]:
        """Yield the prompts, the longest of a window first, with the ids that the model wrote."""
        import torch

        model, options = coder.loaded, generation_config.options(coder)
        settings = self.job.settings
        plan = in_windows(prompts, settings["batch_size"], settings["max_new_tokens"])
        for number, batch in enumerate(plan):
            todo = [prompt for prompt in batch if prompt.id not in self.done]
            if todo and self.claim(number):
                model = model or load(self.job, coder)
                generation_config.disobey(model)
                torch.manual_seed(settings["seed"] + number)
                yield from _answered(model, todo, options, _context(model))


def find(job: GenerateJob) -> Transformers:
    """Return the engine: LLaMA-Factory loads whatever it has trained."""
    return Transformers(job=job)


def _context(model: Any) -> int:
    """Return how many tokens the model has places for, 0 where it has no bound."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 0)


def _answered(
    model: Any, batch: list[Prompt], options: Mapping[str, Any], context: int
) -> Iterator[Answered]:
    """Yield the batch, in parts where it is too large for the memory."""
    misfits = {prompt.id: cause for prompt in batch if (cause := _misfit(prompt, context))}
    if misfits:
        yield [(prompt, misfits[prompt.id]) for prompt in batch if prompt.id in misfits]
    waiting = [[prompt for prompt in batch if prompt.id not in misfits]]
    while waiting:
        part = waiting.pop(0)
        answers = _decode(model, part, options, context) if part else []
        if answers is not None:
            yield list(zip(part, answers, strict=True))
        elif len(part) == 1:
            yield [(part[0], "out_of_memory")]
        else:
            half = len(part) // 2
            waiting[:0] = [part[:half], part[half:]]


def _misfit(prompt: Prompt, context: int) -> Failure | None:
    if not prompt.tokens:
        return "empty_prompt"
    return "prompt_too_long" if context and len(prompt.tokens) >= context else None


def _decode(
    model: Any, prompts: Sequence[Prompt], options: Mapping[str, Any], context: int
) -> list[Written] | None:
    """Return an answer for each prompt, None where the device's memory is too small for them."""
    import torch

    try:
        with watch_numbers(model) as broken:
            written = _generate(model, prompts, options, context)
        failed = broken(len(prompts))
    except torch.OutOfMemoryError:
        written = None
    if written is None:  # what was held for it is free once the exception is forgotten
        if accelerator := torch.accelerator.current_accelerator(check_available=True):
            torch.get_device_module(accelerator).empty_cache()
        return None
    return ["not_finite" if bad else ids for ids, bad in zip(written, failed, strict=True)]


def _generate(
    model: Any, prompts: Sequence[Prompt], options: Mapping[str, Any], context: int
) -> list[list[int]]:
    import torch

    width = max(len(prompt.tokens) for prompt in prompts)
    padding = [width - len(prompt.tokens) for prompt in prompts]
    tokens = [
        [options["pad_token_id"]] * pad + prompt.tokens
        for pad, prompt in zip(padding, prompts, strict=True)
    ]
    mask = [[0] * pad + [1] * (width - pad) for pad in padding]
    room = context - width if context else options["max_new_tokens"]
    with torch.inference_mode():
        answers = model.generate(
            input_ids=torch.tensor(tokens, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            **{**options, "max_new_tokens": min(room, options["max_new_tokens"])},
        )
    written: list[list[int]] = answers[:, width:].tolist()
    return written
