"""Ways of serving one model, rightly and wrongly."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.llamafactory.prompts import Coder, pair
from assay.records import Message, Prediction, Sample

Change = Callable[[Any], Any]
Turns = Sequence[tuple[str, str]]
LIMIT = 40  # tokens of an answer
ASKED = (
    "What is the capital of France?",
    "Name three colours of the rainbow.",
    "How do I boil an egg?",
    "Write a haiku about the sea.",
    "Why is the sky blue?",
    "Translate 'good morning' into Spanish.",
    "What is 17 plus 25?",
    "Give me a title for a story about a lost dog.",
    "Who wrote Romeo and Juliet?",
    "Explain photosynthesis to a child.",
    "List the days of the week.",
    "What does HTTP stand for?",
    "Write a Python function that adds two numbers.",
    "Summarise the plot of Cinderella in one sentence.",
    "What is the opposite of hot?",
    "How many legs does a spider have?",
    "Suggest a name for a coffee shop.",
    "What causes the tides?",
    "Correct this sentence: He go to school.",
    "Is a tomato a fruit?",
    "Write an email that declines an invitation.",
    "What is a prime number?",
    "Recommend a book for a ten-year-old.",
    "Turn off the lights in the kitchen.",
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of serving, by its `name`, that is wrong in `what`: "" for rightly. The weights are
    changed, the prompt is written from other `turns` or `plain`, and `decoding` goes to the
    model's generate."""

    name: str
    what: str = ""
    change: Change = lambda model: model
    turns: Callable[[str], Turns] = lambda text: (("user", text),)
    plain: bool = False
    decoding: Mapping[str, Any] = field(default_factory=dict)


def samples() -> list[Sample]:
    """Return what is asked."""
    return [_sample(str(number), (("user", text),)) for number, text in enumerate(ASKED)]


def answers(way: Way, model: Any, coding: Coder) -> list[Prediction]:
    """Return what is answered, all of it in one batch."""
    import torch

    torch.manual_seed(1)
    prompts = [_prompt(way, text, coding) for text in ASKED]
    longest, pad = max(map(len, prompts)), coding.ends[0]
    ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.inference_mode():
        written = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=LIMIT,
            eos_token_id=list(coding.ends),
            pad_token_id=pad,
            **{"do_sample": False, **way.decoding},
        )[:, longest:].tolist()
    return [
        _answer(str(number), row, len(prompts[number]), coding)
        for number, row in enumerate(written)
    ]


def in_bfloat16(model: Any) -> Any:
    """Return the model with every weight and activation in bfloat16."""
    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def rounded(bits: int, group: int = 32) -> Change:
    """Return what rounds the weights of the layers to so many bits, by groups with a scale each."""

    def change(model: Any) -> Any:
        import torch

        other, most = copy.deepcopy(model), 2 ** (bits - 1) - 1
        with torch.no_grad():
            for name, weight in other.named_parameters():
                if weight.dim() == 2 and "embed" not in name:
                    rows = weight.reshape(-1, group)
                    scale = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / most
                    weight.copy_((torch.round(rows / scale) * scale).reshape(weight.shape))
        return other

    return change


def noisy(share: float) -> Change:
    """Return what adds noise of a share of its own spread to each weight."""

    def change(model: Any) -> Any:
        import torch

        other, draws = copy.deepcopy(model), torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in other.parameters():
                if weight.dim() > 1:
                    noise = torch.randn(weight.shape, generator=draws).to(weight)
                    weight.add_(noise * weight.std() * share)
        return other

    return change


def tuned(steps: int) -> Change:
    """Return what trains the model for so many steps on answers of another style."""

    def change(model: Any) -> Any:
        import torch
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model.config._name_or_path)
        other = copy.deepcopy(model).train()
        optimiser = torch.optim.AdamW(other.parameters(), lr=2e-5)
        for step in range(steps):
            text = f"Question {step}: what is {step} plus {step}?\nAnswer: {2 * step}, my friend."
            ids = torch.tensor([tokenizer.encode(text)])
            other(input_ids=ids, labels=ids).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return other.eval()

    return change


WAYS = (
    Way(name="rightly, in one batch"),
    Way(name="in bfloat16", change=in_bfloat16),
    Way(name="rounded to 8 bits", change=rounded(8)),
    Way(name="rounded to 6 bits", change=rounded(6), what="model"),
    Way(name="rounded to 4 bits", change=rounded(4), what="model"),
    Way(name="trained by 2 more steps", change=tuned(2), what="model"),
    Way(name="trained by 20 more steps", change=tuned(20), what="model"),
    Way(name="noise of 5% on the weights", change=noisy(0.05), what="model"),
    Way(name="noise of 20% on the weights", change=noisy(0.2), what="model"),
    Way(
        name="with a system turn of its own",
        turns=lambda text: (("system", "You are a pirate."), ("user", text)),
        what="template",
    ),
    Way(
        name="a blank before each question",
        turns=lambda text: (("user", f" {text}"),),
        what="template",
    ),
    Way(name="the prompt as plain text", plain=True, what="template"),
    Way(
        name="drawn at temperature 0.3",
        decoding={"do_sample": True, "temperature": 0.3, "top_k": 0},
        what="decoding",
    ),
    Way(
        name="drawn at temperature 1",
        decoding={"do_sample": True, "temperature": 1.0, "top_k": 0},
        what="decoding",
    ),
    Way(
        name="a repetition penalty of 1.05", decoding={"repetition_penalty": 1.05}, what="decoding"
    ),
    Way(name="a repetition penalty of 1.1", decoding={"repetition_penalty": 1.1}, what="decoding"),
    Way(name="a repetition penalty of 1.3", decoding={"repetition_penalty": 1.3}, what="decoding"),
)


def _sample(id_: str, turns: Turns) -> Sample:
    messages = tuple(Message(role=role, content=text) for role, text in turns)  # type: ignore[arg-type]
    return Sample(id=id_, messages=messages, target="")


def _prompt(way: Way, text: str, coding: Coder) -> list[int]:
    if not way.plain:
        return pair(_sample("", way.turns(text)), coding.reading)[0]
    ids: list[int] = coding.reading.tokenizer.encode(f"### User:\n{text}\n\n### Assistant:\n")
    return ids


def _answer(id_: str, ids: list[int], prompt: int, coding: Coder) -> Prediction:
    end = next((at for at, token in enumerate(ids) if token in coding.ends), len(ids))
    return Prediction(
        id=id_,
        output=coding.reading.tokenizer.decode(ids[:end]),
        finish="stop" if end < len(ids) else "length",
        prompt_tokens=prompt,
        output_tokens=end,
    )
