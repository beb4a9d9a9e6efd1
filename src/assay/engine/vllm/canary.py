"""What a few prompts show before all are asked: that the model says numbers, and that an adapter
acts, as tuned and base say other likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.engine.canary import ignored
from assay.engine.vllm.decoding import Room
from assay.engine.vllm.server import Server
from assay.engine.vllm.weights import BASE, ServedWeights
from assay.engine.vllm.window import NotFiniteError, ask
from assay.llamafactory.prompts import Prompt

PROMPTS, TOKENS = 4, 4


def says_numbers(
    server: Server, served: ServedWeights, prompts: Sequence[Prompt], room: Room
) -> bool:
    """Return whether the model's logits are numbers on any of the first prompts: of NaN the server
    would make words like of any other."""
    first = prompts[:PROMPTS]
    return any(_said(server, served.name, prompt, room) is not None for prompt in first)


def check_adapter(
    server: Server, served: ServedWeights, prompts: Sequence[Prompt], room: Room
) -> None:
    """Raise StageError where the served adapter changes nothing on any of the first prompts, and
    its own weights would."""
    for prompt in prompts[:PROMPTS]:
        base, tuned = (_said(server, name, prompt, room) for name in (BASE, served.name))
        if base != tuned:
            return
    count = len(prompts[:PROMPTS])
    ignored(
        [served.adapter], f"on {count} prompts vLLM gives with it the very likelihoods of its base"
    )


def _said(server: Server, name: str, prompt: Prompt, room: Room) -> Any:
    """Return the first tokens that a model says and how likely they are, None of NaN."""
    request = {
        "model": name,
        "prompt": prompt.tokens,
        "max_tokens": min(TOKENS, room.after(prompt)),
        "temperature": 0,
        "logprobs": 1,
        "return_token_ids": True,
    }
    try:
        choice = ask(server, prompt, request)
    except NotFiniteError:
        return None
    return choice["token_ids"], choice["logprobs"]["token_logprobs"]
