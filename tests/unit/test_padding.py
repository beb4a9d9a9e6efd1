"""Of a model that answers otherwise beside a longer prompt, prompts of one length go together."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from assay.engine import padding, transformers
from tests.unit.test_context_edge import CONTEXT, OPTIONS, alone, random_model
from tests.unit.test_greedy import PAD, WORDS, drawn

LENGTHS = (17, 17, 9, 9, 9, 4)
DOGE = {"num_key_value_heads": 4}


def coder() -> Any:
    """Return what encodes a text by its letters."""

    def encode(text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [10 + ord(letter) % (WORDS - 10) for letter in text]

    reading = SimpleNamespace(tokenizer=SimpleNamespace(encode=encode), unknown=frozenset())
    return SimpleNamespace(reading=reading)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("kind", "more", "matters"),
    [
        ("Doge", DOGE, True),
        ("Llama", {}, False),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 8}, False),
        ("GPT2", {}, False),
        ("OPT", {"ffn_dim": 96, "word_embed_proj_dim": 64}, False),
        ("Mistral", {"sliding_window": 12}, False),
        ("Bloom", {"n_head": 4}, False),  # it takes no places of tokens
    ],
)
def test_whether_padding_matters_is_seen(
    llamafactory: None, kind: str, more: Mapping[str, Any], dtype: str, *, matters: bool
) -> None:
    import torch

    made = random_model(kind, **more).to(getattr(torch, dtype))
    assert padding.matters(made, coder(), PAD) is matters


def test_those_of_one_length_are_answered_as_each_alone(
    llamafactory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    made, prompts = random_model("Doge", **DOGE), drawn(LENGTHS)
    wanted = {prompt.id: alone(made, prompt) for prompt in prompts}

    def answered(groups: Any) -> dict[str, Any]:
        given = (made, OPTIONS, CONTEXT, lambda _tokens: 0)
        parts = (
            part for group in groups for part in transformers._answered(given[0], group, *given[1:])
        )
        return {prompt.id: written for part in parts for prompt, written in part}

    assert padding.matters(made, coder(), PAD)
    assert "those of one length go together" in capsys.readouterr().err
    assert answered([prompts]) != wanted
    assert answered(padding.by_length(prompts)) == wanted
