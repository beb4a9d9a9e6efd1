"""An OpenAI-compatible endpoint that answers with real weights, rightly or wrongly served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from assay.llamafactory.prompts import Coder, pair
from assay.records import Message, Sample
from tests.faults.endpoint import Answer, Body, FakeEndpoint, serving

Render = Callable[[Coder, Sequence[dict[str, str]]], list[int]]


def by_template(coding: Coder, turns: Sequence[dict[str, str]]) -> list[int]:
    """Return the prompt as the weights' own template writes it."""
    messages = tuple(Message(role=turn["role"], content=turn["content"]) for turn in turns)  # type: ignore[arg-type]
    return pair(Sample(id="", messages=messages, target=""), coding.reading)[0]


def plainly(coding: Coder, turns: Sequence[dict[str, str]]) -> list[int]:
    """Return the prompt as no chat template of these weights writes it."""
    text = "".join(f"### {turn['role'].capitalize()}:\n{turn['content']}\n\n" for turn in turns)
    ids: list[int] = coding.reading.tokenizer.encode(f"{text}### Assistant:\n")
    return ids


@contextmanager
def weights_server(
    model: Any, coding: Coder, render: Render = by_template, *, sampled: bool = False
) -> Iterator[FakeEndpoint]:
    """Serve `model`, whose prompts are written by `render`; with `sampled` it draws its tokens
    whatever the temperature that it is asked for."""
    import torch

    torch.manual_seed(1)

    def answer(body: Body) -> Answer:
        prompt = render(coding, body["messages"])
        with torch.inference_mode():
            ids = model.generate(
                input_ids=torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=body["max_tokens"],
                do_sample=sampled,
                temperature=1.0 if sampled else None,
                top_p=1.0 if sampled else None,
                top_k=0 if sampled else None,
                eos_token_id=list(coding.ends),
                pad_token_id=coding.ends[0],
            )[0, len(prompt) :].tolist()
        ended = bool(ids) and ids[-1] in coding.ends
        text = coding.reading.tokenizer.decode(ids[:-1] if ended else ids)
        return _completion(text, len(prompt), len(ids), "stop" if ended else "length")

    with serving(answer) as endpoint:
        yield endpoint


def _completion(text: str, prompt: int, output: int, finish: str) -> Answer:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return Answer(body=json.dumps({"choices": [choice], "usage": usage}).encode())
