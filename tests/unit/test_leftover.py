"""Weights that a model's architecture does not take up: those of its own parts are told apart from
what answers nothing, for which a good model is not refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from assay.llamafactory import leftover

BLOCK = "model.layers.{}.self_attn.q_proj.weight"


def model(kind: str = "Llama", **more: Any) -> Any:
    """Return a model of two layers, none of whose weights are there."""
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        **more,
    )
    with torch.device("meta"):
        return getattr(transformers, f"{kind}ForCausalLM")(config)


@pytest.mark.usefixtures("llamafactory")
@pytest.mark.parametrize(
    "name",
    [
        BLOCK.format(2),
        BLOCK.format(31),
        "model.layers.2.input_layernorm.weight",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.1.self_attn.q_proj.bias",
        "model.layers.1.mlp.experts.3.up_proj.weight",
        "model.norm.bias",
        "model.embed_positions.weight",
        "lm_head.bias",
    ],
)
def test_a_part_of_its_own_is_missed(name: str) -> None:
    assert leftover.apart(model(), {name}) == ([name], [])


@pytest.mark.usefixtures("llamafactory")
@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.rotary_emb.inv_freq",
        "transformer.rotary_pos_emb.inv_freq",
        "model.layers.1.self_attn.masked_bias",
        "model.layers.1.attn.bias",
        "model.layers.1.attention.bias",
        "model.layers.1.self_attn._extra_state",
        "model.embeddings.position_ids",
    ],
)
def test_what_a_model_computes_by_itself_is_nothing(name: str) -> None:
    assert leftover.apart(model(), {name}) == ([], [])


@pytest.mark.usefixtures("llamafactory")
@pytest.mark.parametrize(
    "name",
    [
        "mtp.layers.0.self_attn.q_proj.weight",
        "mtp.fc.weight",
        "model.mtp_block.0.mlp.up_proj.weight",
        "v_head.summary.weight",
        "score.weight",
        "vision_tower.encoder.layers.0.mlp.fc1.weight",
    ],
)
def test_another_part_is_only_told(name: str) -> None:
    assert leftover.apart(model(), {name}) == ([], [name])


@pytest.mark.usefixtures("llamafactory")
@pytest.mark.parametrize(
    ("more", "missed"),
    [
        ({"num_nextn_predict_layers": 1}, [BLOCK.format(3)]),
        ({"num_mtp_layers": 2}, []),
        ({"num_nextn_predict_layers": 0}, [BLOCK.format(2), BLOCK.format(3)]),
        ({"num_nextn_predict_layers": None}, [BLOCK.format(2), BLOCK.format(3)]),
    ],
)
def test_layers_that_guess_ahead_stand_after_the_last(
    more: Mapping[str, Any], missed: list[str]
) -> None:
    found = leftover.apart(model(**more), {BLOCK.format(2), BLOCK.format(3)})
    assert found == (missed, [])


@pytest.mark.usefixtures("llamafactory")
@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Qwen3", "Mistral", "Gemma2"])
def test_each_weight_of_a_layer_too_many_is_missed(kind: str) -> None:
    made = model(kind)
    left = {name.replace("layers.1.", "layers.7.") for name in made.state_dict()}
    left -= set(made.state_dict())
    assert left
    assert leftover.apart(made, left) == (sorted(left), [])
