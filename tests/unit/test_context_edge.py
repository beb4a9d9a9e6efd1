"""At the edge of the context each answer has its own place: a long prompt cuts no other one."""

from __future__ import annotations

from typing import Any

import pytest

from assay.engine import greedy, transformers
from assay.llamafactory.prompts import Prompt
from tests.unit.test_greedy import PAD, WORDS, drawn

CONTEXT, NEW = 48, 20
LENGTHS = (60, 48, 47, 46, 40, 40, 31, 28, 27, 20, 16)
END = 5
LONG = {"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
OPTIONS: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "eos_token_id": [END],
    "pad_token_id": PAD,
    "max_new_tokens": NEW,
}


def random_model(kind: str, **more: Any) -> Any:
    """Return a model of random weights that are large enough to have it look at what it reads."""
    import torch
    import transformers as library

    torch.manual_seed(0)
    config = getattr(library, f"{kind}Config")(
        vocab_size=WORDS,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=8,
        max_position_embeddings=CONTEXT,
        pad_token_id=PAD,
        **more,
    )
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    made = getattr(library, f"{kind}{head}")(config).eval()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:
                weight.normal_(std=1.3 * weight.shape[-1] ** -0.5)
    made.generation_config = library.GenerationConfig()
    return made


def alone(made: Any, prompt: Prompt) -> Any:
    """Return what transformers itself writes after this prompt alone."""
    import torch

    room = CONTEXT - len(prompt.tokens)
    if room <= 0:
        return "prompt_too_long"
    asked = torch.tensor([prompt.tokens])
    said = made.generate(
        input_ids=asked,
        attention_mask=torch.ones_like(asked),
        **{**OPTIONS, "max_new_tokens": min(NEW, room)},
    )
    return said[0, len(prompt.tokens) :].tolist()


@pytest.mark.parametrize(
    ("kind", "more", "ours"),
    [
        ("Llama", {}, True),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 8}, True),
        ("GPT2", {}, True),  # its places are learnt: there is none beyond the last
        ("OPT", {"ffn_dim": 96, "word_embed_proj_dim": 64}, True),
        ("Mistral", {"sliding_window": 12}, False),
        ("Gemma2", {"sliding_window": 12, "head_dim": 8, "num_key_value_heads": 4}, False),
        ("GPT2", {"attn_implementation": "eager"}, False),
        ("Phi3", {"original_max_position_embeddings": 27, "rope_scaling": LONG}, False),
        ("GPTNeo", {"attention_types": [[["global", "local"], 1]], "num_layers": 2}, False),
    ],
)
def test_a_prompt_at_the_edge_cuts_no_other_answer(
    llamafactory: None, kind: str, more: dict[str, Any], ours: bool
) -> None:
    made = random_model(kind, **more)
    assert greedy.serves(made, OPTIONS) is ours
    batch = drawn(LENGTHS)
    answered = [
        (prompt, to_end(written))
        for part in transformers._answered(made, batch, OPTIONS, CONTEXT, lambda _tokens: 0)
        for prompt, written in part
    ]
    assert answered == [(prompt, alone(made, prompt)) for prompt in batch]


def to_end(written: Any) -> Any:
    """Return the ids up to the first that ends an answer; what stands after it is not looked at."""
    if not isinstance(written, list) or END not in written:
        return written
    return written[: written.index(END) + 1]
