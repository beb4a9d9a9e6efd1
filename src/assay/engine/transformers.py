"""LLaMA-Factory's model and transformers' loop as an engine, in batches of similar length.

LLaMA-Factory's do_predict takes them in the order of the file, and keeps nothing until the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.llamafactory import generation_config
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """The loop of this process, with the weights that `job` names."""

    job: GenerateJob

    def answer(
        self, coder: Coder, prompts: Sequence[Prompt]
    ) -> Iterator[list[tuple[Prompt, list[int]]]]:
        """Yield the prompts, the longest first, with the ids that the model wrote."""
        import torch

        model = _load(self.job, coder)
        generation_config.disobey(model)
        options = generation_config.options(coder)
        longest_first = sorted(prompts, key=lambda prompt: len(prompt.tokens), reverse=True)
        size = self.job.settings["batch_size"]
        for start in range(0, len(longest_first), size):
            torch.manual_seed(self.job.settings["seed"] + start)
            batch = longest_first[start : start + size]
            yield list(zip(batch, _decode(model, batch, options), strict=True))


def find(job: GenerateJob) -> Transformers:
    """Return the engine: LLaMA-Factory loads whatever it has trained."""
    return Transformers(job=job)


def _load(job: GenerateJob, coder: Coder) -> Any:
    from llamafactory.model import load_model
    from transformers import set_seed

    set_seed(job.load_seed)  # as training did: PiSSA's decomposition of the base is random
    return load_model(coder.reading.tokenizer, coder.model, coder.finetuning, is_trainable=False)


def _decode(model: Any, prompts: Sequence[Prompt], options: Mapping[str, Any]) -> list[list[int]]:
    import torch

    width = max(len(prompt.tokens) for prompt in prompts)
    padding = [width - len(prompt.tokens) for prompt in prompts]
    tokens = [
        [options["pad_token_id"]] * pad + prompt.tokens
        for pad, prompt in zip(padding, prompts, strict=True)
    ]
    mask = [[0] * pad + [1] * (width - pad) for pad in padding]
    with torch.inference_mode():
        answers = model.generate(
            input_ids=torch.tensor(tokens, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            **options,
        )
    written: list[list[int]] = answers[:, width:].tolist()
    return written
