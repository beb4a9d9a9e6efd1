"""GenerateSettings as vLLM's parameters of one request: the same decoding as transformers'."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.llamafactory.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class Room:
    """How many tokens the `context` has place for, prompt and answer together (0: any number), and
    how many an answer may have."""

    context: int
    answer: int

    def after(self, prompt: Prompt) -> int:
        """Return how many tokens may be written after a prompt."""
        left = self.context - len(prompt.tokens) if self.context else self.answer
        return min(self.answer, left)


def body(
    model: str, prompt: Prompt, room: Room, ends: Sequence[int], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request that has `model` answer a prompt.

    What ends an answer is LLaMA-Factory's to say, so the tokenizer's own end counts only as one of
    `ends`. A sample's draws are its own: they depend on its id and the seed, not on the others.
    """
    return {
        "model": model,
        "prompt": prompt.tokens,
        "max_tokens": room.after(prompt),
        "stop_token_ids": list(ends),
        "ignore_eos": True,
        "repetition_penalty": settings["repetition_penalty"],
        "return_token_ids": True,
        **_sampling(prompt, settings),
    }


def _sampling(prompt: Prompt, settings: Mapping[str, Any]) -> dict[str, Any]:
    if not settings["do_sample"]:
        return {"temperature": 0}
    return {
        "temperature": settings["temperature"],
        "top_p": settings["top_p"],
        "top_k": settings["top_k"],  # 0 is all of them to both
        "seed": zlib.crc32(f"{settings['seed']} {prompt.id}".encode()),
    }
