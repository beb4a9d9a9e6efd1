"""The proof that an adapter acts: on a few prompts tuned and base say other likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.engine.vllm.server import Server
from assay.engine.vllm.weights import BASE, Served
from assay.engine.vllm.window import ask
from assay.errors import StageError
from assay.llamafactory.prompts import Prompt

PROMPTS, TOKENS = 4, 4


def check_adapter(server: Server, served: Served, prompts: Sequence[Prompt]) -> None:
    """Raise StageError where the served adapter changes nothing on any of the first prompts."""
    for prompt in prompts[:PROMPTS]:
        base, tuned = (_said(server, name, prompt) for name in (BASE, served.name))
        if base != tuned:
            return
    raise StageError(
        f"the adapter {served.adapter} changes nothing: on {len(prompts[:PROMPTS])} prompts vLLM "
        "gives with it the very likelihoods of its base",
        "Look whether it was trained at all; generate.engine: transformers answers with it",
    )


def _said(server: Server, name: str, prompt: Prompt) -> Any:
    request = {
        "model": name,
        "prompt": prompt.tokens,
        "max_tokens": TOKENS,
        "temperature": 0,
        "logprobs": 1,
        "return_token_ids": True,
    }
    choice = ask(server, prompt, request)
    return choice["token_ids"], choice["logprobs"]["token_logprobs"]
