"""Ways of serving one model, rightly and wrongly, and what the model then answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.demo.base_model import TEMPLATE, base_model
from assay.engine import loading
from assay.generate import GenerateSettings
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, coder, pair
from assay.records import Message, Prediction, Sample
from assay.report.contents import ParityCause

Change = Callable[[Any], Any]
Turns = Sequence[tuple[str, str]]
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
    """A way of serving, by its `name`, of which parity is to name one of the `causes`. The weights
    are changed, the prompt is written from other `turns` or `plain`, and `decoding` goes to the
    model's generate."""

    name: str
    causes: tuple[ParityCause, ...]
    change: Change = lambda model: model
    turns: Callable[[str], Turns] = lambda text: (("user", text),)
    plain: bool = False
    decoding: Mapping[str, Any] = field(default_factory=dict)


def loaded(weights: Path) -> tuple[Any, Coder]:
    """Return the model as LLaMA-Factory loads it, and how its prompts are written."""
    job = GenerateJob(
        base=str(weights),
        base_name=str(weights),
        adapter="",
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(GenerateSettings(template=TEMPLATE)),
    )
    coding = coder(job)
    return loading.load(job, coding), coding


def samples(count: int) -> list[Sample]:
    """Return the first so many of what is asked."""
    return [_sample(str(number), (("user", text),)) for number, text in enumerate(ASKED[:count])]


def answers(
    way: Way, model: Any, coding: Coder, rows: Sequence[Sample], limit: int
) -> list[Prediction]:
    """Return what is answered, up to so many tokens each, all of it in one batch."""
    import torch

    torch.manual_seed(1)
    prompts = [_prompt(way, row.messages[0].content, coding) for row in rows]
    longest, pad = max(map(len, prompts)), coding.ends[0]
    blanks = [longest - len(prompt) for prompt in prompts]
    ids = [[pad] * blank + prompt for blank, prompt in zip(blanks, prompts, strict=True)]
    with torch.inference_mode():
        written = model.generate(
            input_ids=torch.tensor(ids),
            attention_mask=torch.tensor([[0] * n + [1] * (longest - n) for n in blanks]),
            max_new_tokens=limit,
            eos_token_id=list(coding.ends),
            pad_token_id=pad,
            **{"do_sample": False, **way.decoding},
        )[:, longest:].tolist()
    return [
        _answer(row.id, said, len(prompt), coding)
        for row, said, prompt in zip(rows, written, prompts, strict=True)
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

        tokenizer = AutoTokenizer.from_pretrained(base_model())
        other = copy.deepcopy(model).requires_grad_(True).train()
        optimiser = torch.optim.AdamW(other.parameters(), lr=2e-5)
        for step in range(steps):
            text = f"Question {step}: what is {step} plus {step}?\nAnswer: {2 * step}, my friend."
            ids = torch.tensor([tokenizer.encode(text)])
            other(input_ids=ids, labels=ids).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return other.eval()

    return change


def _drawn(temperature: float) -> dict[str, Any]:
    return {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}


OWN: tuple[ParityCause, ...] = ("none", "decoding")
WAYS = {
    way.name: way
    for way in (
        Way(name="rightly, in one batch", causes=OWN),
        Way(name="in bfloat16", causes=OWN, change=in_bfloat16),
        Way(name="rounded to 8 bits", causes=OWN, change=rounded(8)),
        Way(name="rounded to 6 bits", causes=("model",), change=rounded(6)),
        Way(name="rounded to 4 bits", causes=("model",), change=rounded(4)),
        Way(name="trained by 2 more steps", causes=OWN, change=tuned(2)),
        Way(name="trained by 20 more steps", causes=("model",), change=tuned(20)),
        Way(name="noise of 5% on the weights", causes=("model",), change=noisy(0.05)),
        Way(name="noise of 20% on the weights", causes=("model",), change=noisy(0.2)),
        Way(
            name="a system turn before it",
            causes=("template",),
            turns=lambda text: (("system", "You are a pirate."), ("user", text)),
        ),
        Way(
            name="a line break after it",
            causes=("template",),
            turns=lambda text: (("user", f"{text}\n"),),
        ),
        Way(name="the prompt as plain text", causes=("template",), plain=True),
        Way(name="drawn at temperature 0.3", causes=("decoding",), decoding=_drawn(0.3)),
        Way(name="drawn at temperature 1", causes=("decoding",), decoding=_drawn(1.0)),
        *(
            Way(
                name=f"a repetition penalty of {penalty:g}",
                causes=("decoding",),
                decoding={"repetition_penalty": penalty},
            )
            for penalty in (1.05, 1.1, 1.3)
        ),
    )
}


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
