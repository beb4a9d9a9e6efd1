"""LLaMA-Factory's model and a loop over it as an engine, in batches of similar length.

LLaMA-Factory's do_predict takes them in the order of the file, and keeps nothing until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.engine import capacity, greedy, padding
from assay.engine.batches import in_windows
from assay.engine.finite import watch_numbers
from assay.engine.kernels import unplanned
from assay.engine.loading import load
from assay.engine.places import apart, within
from assay.llamafactory import generation_config
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.memory import full_alike
from assay.llamafactory.prompts import Coder, Prompt, Written, misfit

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
        room: capacity.RoomFor | None = None
        apart = False
        settings = self.job.settings
        size = capacity.at_once(settings["batch_size"])
        plan = in_windows(prompts, size, settings["max_new_tokens"])
        for number, batch in enumerate(plan):
            todo = [prompt for prompt in batch if prompt.id not in self.done]
            if todo and self.claim(number):
                model = model or load(self.job, coder)
                if room is None:
                    generation_config.disobey(model)
                    room = capacity.room(model)
                    apart = padding.matters(model, coder, options["pad_token_id"])
                torch.manual_seed(settings["seed"] + number)
                for group in padding.by_length(todo) if apart else (todo,):
                    yield from _answered(model, group, options, _context(model), room)


def find(job: GenerateJob) -> Transformers:
    """Return the engine: LLaMA-Factory loads whatever it has trained."""
    return Transformers(job=job)


def _context(model: Any) -> int:
    """Return how many tokens the model has places for, 0 where it has no bound."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 0)


def _answered(
    model: Any,
    batch: Sequence[Prompt],
    options: Mapping[str, Any],
    context: int,
    room: capacity.RoomFor,
) -> Iterator[Answered]:
    """Yield the batch: what does not fit the model apart, of which it is not asked."""
    misfits = {prompt.id: cause for prompt in batch if (cause := misfit(prompt, context))}
    if misfits:
        yield [(prompt, misfits[prompt.id]) for prompt in batch if prompt.id in misfits]
    if fits := [prompt for prompt in batch if prompt.id not in misfits]:
        for group in apart(model, fits, options["max_new_tokens"], context):
            yield from _in_parts(model, group, options, context, room)


def _in_parts(
    model: Any,
    batch: list[Prompt],
    options: Mapping[str, Any],
    context: int,
    room: capacity.RoomFor,
) -> Iterator[Answered]:
    """Yield the batch, in parts where it is too large for the memory, and those halved that still
    are."""
    width = max(len(prompt.tokens) for prompt in batch)
    most = 0 if greedy.serves(model, options) else capacity.read_at_once(model, width)
    waiting = list(capacity.parts(room, batch, width + options["max_new_tokens"], most))
    while waiting:
        part = waiting.pop(0)
        answers = _decode(model, part, options, context)
        if answers is not None:
            yield list(zip(part, answers, strict=True))
        elif len(part) == 1:
            yield [(part[0], "out_of_memory")]
        else:
            half = len(part) // 2
            waiting[:0] = [part[:half], part[half:]]


def _decode(
    model: Any, prompts: Sequence[Prompt], options: Mapping[str, Any], context: int
) -> list[Written] | None:
    """Return an answer for each prompt, None where the device's memory is too small for them."""
    import torch

    width = max(len(prompt.tokens) for prompt in prompts)
    room = [_room(prompt, options["max_new_tokens"], context) for prompt in prompts]
    options = {**options, "max_new_tokens": max(room)}
    write = greedy.answers if greedy.serves(model, options) else _loop
    try:
        with unplanned(model), full_alike():
            rows = _padded(model, prompts, width, options["pad_token_id"])
            written = write(model, *rows, options, room)
    except torch.OutOfMemoryError:
        written = None
    if written is None:  # what was held for it is free once the exception is forgotten
        if accelerator := torch.accelerator.current_accelerator(check_available=True):
            torch.get_device_module(accelerator).empty_cache()
        return None
    answers = zip(*written, room, strict=True)
    return ["not_finite" if bad else ids[:most] for ids, bad, most in answers]


def _room(prompt: Prompt, new: int, context: int) -> int:
    """Return how many tokens, at most `new`, a prompt leaves its answer in the context."""
    return min(new, context - len(prompt.tokens)) if context else new


def _padded(model: Any, prompts: Sequence[Prompt], width: int, pad: int) -> tuple[Any, Any]:
    """Return the prompts' tokens in rows of one width, and where they are."""
    import torch

    padding = [width - len(prompt.tokens) for prompt in prompts]
    rows = zip(padding, prompts, strict=True)
    tokens = [[pad] * before + prompt.tokens for before, prompt in rows]
    mask = [[0] * before + [1] * (width - before) for before in padding]
    return torch.tensor(tokens, device=model.device), torch.tensor(mask, device=model.device)


def _loop(
    model: Any, tokens: Any, mask: Any, options: Mapping[str, Any], room: Sequence[int]
) -> tuple[list[list[int]], list[bool]]:
    """Return the ids that transformers' own loop writes, and of which rows the model said NaN."""
    import torch

    ending = within(model, mask, room)
    with watch_numbers(model) as broken, torch.inference_mode(), ending as ends:
        answers = model.generate(
            input_ids=tokens, attention_mask=mask, stopping_criteria=ends, **options
        )
    return answers[:, tokens.shape[1] :].tolist(), broken(len(tokens))
