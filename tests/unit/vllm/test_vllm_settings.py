"""What the server is started with: any setting of vLLM by its name, the GPUs, and which weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.engine.vllm import Vllm, arguments, gpus, settings, weights
from assay.engine.vllm.architecture import Architecture
from assay.engine.vllm.gpus import Parallelism
from assay.engine.vllm.weights import ServedWeights
from assay.errors import SettingsError
from assay.llamafactory.prompts import misfit
from tests.models import safetensors
from tests.unit.vllm.conftest import OF
from tests.unit.vllm.test_vllm_answers import adapter, job, prompt

GIB = 2**30


def flags(served: ServedWeights, layout: Parallelism = Parallelism(), **given: Any) -> list[str]:  # noqa: B008
    asked = job(vllm=given)
    return arguments.command(asked, served, OF, layout, 48, eager=True)


def pairs(command: list[str]) -> dict[str, str]:
    return dict(zip(command, [*command[1:], ""], strict=True))


def test_what_assay_decides() -> None:
    found = pairs(flags(ServedWeights(base="org/base"), Parallelism(tensor=2, data=4)))
    assert found["--model"] == "org/base"
    assert found["--generation-config"] == "vllm", "a model's own file does not act"
    assert (found["--dtype"], found["--max-model-len"]) == ("float32", "48")
    assert (found["--tensor-parallel-size"], found["--data-parallel-size"]) == ("2", "4")
    assert "--enforce-eager" in found
    assert not {"--enable-lora", "--lora-modules", "--trust-remote-code", "--revision"} & set(found)


def test_any_setting_is_passed_by_its_name_and_wins() -> None:
    given: dict[str, Any] = {
        "enforce_eager": False,
        "max_num_seqs": 8,
        "disable_log_stats": False,
        "enable_prefix_caching": True,
        "hf_overrides": {"a": [1]},
        "cudagraph_capture_sizes": [1, 2],
        "gpu_memory_utilization": 0.5,
        "max_model_len": 4096,
    }
    command = flags(ServedWeights(base="b"), **given)
    found = pairs(command)
    assert found["--max-num-seqs"] == "8"
    assert "--no-enforce-eager" in found
    assert "--enable-prefix-caching" in found
    assert "--disable-log-stats" not in found, "there is no other word for its default"
    assert json.loads(found["--hf-overrides"]) == {"a": [1]}
    at = command.index("--cudagraph-capture-sizes")
    assert command[at + 1 : at + 3] == ["1", "2"]
    assert found["--max-model-len"] == "48", "no longer than the longest needs"


def test_code_and_revision_come_from_llamafactorys_settings() -> None:
    given = {"trust_remote_code": True, "model_revision": "abc"}
    command = arguments.command(
        job(llamafactory=given), ServedWeights(base="b"), OF, Parallelism(), 48, eager=False
    )
    assert "--trust-remote-code" in command
    found = pairs(command)
    assert found["--revision"] == found["--tokenizer-revision"] == "abc"
    assert "--no-enforce-eager" in command


@pytest.mark.parametrize(
    ("rank", "most"), [(1, 1), (8, 8), (9, 16), (12, 16), (65, 128), (512, 512)]
)
def test_the_rank_that_is_served_holds_the_adapters(rank: int, most: int) -> None:
    found = pairs(flags(ServedWeights(base="b", name="tuned", adapter="a", rank=rank)))
    assert found["--max-lora-rank"] == str(most)


def model(gigabytes: float, heads: int = 32) -> Architecture:
    return replace(OF, heads=heads, bytes=int(gigabytes * GIB))


@pytest.mark.parametrize(
    ("gigabytes", "heads", "cards", "given", "layout"),
    [
        (14, 32, 1, {}, (1, 1, 1)),
        (14, 32, 8, {}, (1, 1, 8)),
        (14, 28, 8, {}, (1, 1, 8)),
        (140, 64, 8, {}, (4, 1, 2)),
        (400, 64, 8, {}, (8, 1, 1)),
        (140, 64, 2, {}, (2, 1, 1)),  # does not fit, and there are no more
        (140, 9, 8, {}, (1, 8, 1)),  # its heads cannot be shared out: in layers
        (90, 12, 4, {}, (2, 1, 2)),
        (14, 32, 8, {"tensor_parallel_size": 4}, (4, 1, 2)),
        (14, 32, 8, {"data_parallel_size": 1}, (1, 1, 1)),
        (14, 32, 8, {"pipeline_parallel_size": 2}, (1, 2, 4)),
        (140, 64, 8, {"pipeline_parallel_size": 4}, (1, 4, 2)),
        (140, 64, 8, {"data_parallel_size": 2}, (4, 1, 2)),
        (14, 32, 8, {"tensor_parallel_size": 2, "data_parallel_size": 2}, (2, 1, 2)),
    ],
)
def test_a_model_lies_on_the_fewest_gpus_that_hold_it(
    gigabytes: float, heads: int, cards: int, given: dict[str, int], layout: tuple[int, int, int]
) -> None:
    found = gpus.chosen(model(gigabytes, heads), given, cards, 80 * GIB)
    assert (found.tensor, found.pipeline, found.data) == layout


@pytest.mark.parametrize(
    ("heads", "kv_heads", "vocabulary", "cards", "layout"),
    [
        (40, 10, 100352, 4, (2, 2, 1)),  # Phi-4
        (24, 8, 128256, 3, (1, 3, 1)),  # Llama 3.2 3B
        (28, 4, 152064, 7, (1, 7, 1)),  # Qwen2.5 7B
        (64, 8, 152064, 8, (8, 1, 1)),
        (64, 8, 152064, 16, (16, 1, 1)),  # each head of keys and values on two
        (12, 12, 50257, 6, (6, 1, 1)),  # GPT-2, whose vocabulary vLLM pads to 50304
        (12, 12, 32000, 3, (1, 3, 1)),  # 32000 rows are not cut in three
    ],
)
def test_what_is_cut_has_whole_heads_and_as_much_of_the_vocabulary(
    heads: int, kv_heads: int, vocabulary: int, cards: int, layout: tuple[int, int, int]
) -> None:
    of = replace(model(9000, heads), kv_heads=kv_heads, vocabulary=vocabulary)
    found = gpus.chosen(of, {}, cards, 24 * GIB)
    assert (found.tensor, found.pipeline, found.data) == layout


def test_a_number_that_divides_the_heads_and_not_those_of_keys_and_values_is_refused() -> None:
    of = replace(model(28, 40), kv_heads=10)
    with pytest.raises(SettingsError, match=r"= 4 .* share 10 of keys and values") as refused:
        gpus.chosen(of, {"tensor_parallel_size": 4}, 8, 80 * GIB)
    assert refused.value.remedy.startswith("Set it to one of 1, 2, 5, and")


@pytest.mark.parametrize("value", [0, -1, True, "auto", "1k", 16.5])
def test_a_context_that_is_no_number_of_tokens_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"generate\.vllm\.max_model_len = \S+ is no"):
        settings.check({"max_model_len": value})


@given(
    gigabytes=st.floats(0.1, 2000),
    heads=st.integers(0, 128),
    cards=st.integers(1, 16),
    memory=st.integers(0, 140),
)
def test_no_more_gpus_are_taken_than_there_are(
    gigabytes: float, heads: int, cards: int, memory: int
) -> None:
    found = gpus.chosen(model(gigabytes, heads), {}, cards, memory * GIB)
    assert 1 <= found.tensor * found.pipeline * found.data <= cards
    assert heads % found.tensor == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tensor_parallel_size": 16}, "asks for 16 GPUs, and 8 can be used here"),
        ({"tensor_parallel_size": 4, "data_parallel_size": 4}, "asks for 16 GPUs"),
        ({"tensor_parallel_size": 3}, "= 3 does not divide the model's 32 attention heads"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(given: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        gpus.chosen(model(14), given, 8, 80 * GIB)
    assert refused.value.remedy


def tuned(folder: Path, names: tuple[str, ...] = (), **config: Any) -> str:
    """Return why an adapter is merged first."""
    made = adapter(folder / "tuned", **config)
    if names:
        file = made / "adapter_model.safetensors"
        file.write_bytes(safetensors(dict.fromkeys(names, (1,))))
    return weights.why_written(replace(job(), adapter=str(made)))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"r": 512, "bias": "none", "use_dora": False, "modules_to_save": None},
        {"use_rslora": True, "rank_pattern": {"q_proj": 64}},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": None},
    ],
)
def test_a_plain_lora_is_served_as_it_is(tmp_path: Path, config: dict[str, Any]) -> None:
    assert tuned(tmp_path, **config) == ""


@pytest.mark.parametrize(
    ("config", "form"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "lora_only"}, "a bias"),
        ({"lora_bias": True}, "a bias"),
        ({"r": 513}, "rank 513 (at most 512)"),
        ({"rank_pattern": {"q_proj": 1024}}, "rank 1024 (at most 512)"),
        ({"init_lora_weights": "pissa_niter_16"}, "init_lora_weights: pissa_niter_16"),
        ({"init_lora_weights": "olora"}, "init_lora_weights: olora"),
        ({"peft_type": "OFT"}, "OFT"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"trainable_token_indices": [1]}, "trained tokens"),
    ],
)
def test_what_vllm_cannot_serve_is_merged_first(
    tmp_path: Path, config: dict[str, Any], form: str
) -> None:
    assert tuned(tmp_path, **config) == f"vLLM serves no adapter with {form}"


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.lm_head.lora_A.weight",
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.embed_tokens.weight",
        "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector",
    ],
)
def test_what_its_weights_hold_beside_the_matrices_is_seen(tmp_path: Path, name: str) -> None:
    reason = tuned(tmp_path, ("base_model.model.a.lora_A.weight", name))
    assert reason == f"vLLM serves no adapter with {name.removeprefix('base_model.model.')}"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"resize_vocab": True}, "its vocabulary is resized"),
        ({"add_tokens": "<a>,<b>"}, "its vocabulary is resized"),
        ({"rope_scaling": "yarn"}, "generate.llamafactory.rope_scaling changes it"),
        ({"rope_scaling": None, "resize_vocab": False, "infer_dtype": "bfloat16"}, ""),
    ],
)
def test_a_base_that_llamafactory_changes_is_written_first(
    given: dict[str, Any], reason: str
) -> None:
    assert weights.why_written(job(llamafactory=given)) == reason
    note = Vllm(job=job(llamafactory=given)).note
    assert note == (f"its weights are made one folder first: {reason}" if reason else "")


def test_what_only_llamafactory_can_load_is_not_vllms(tmp_path: Path) -> None:
    for name in ("quantization_bit", "use_unsloth", "num_beams", "mixture_of_depths"):
        told = weights.unservable(job(llamafactory={name: 4}))
        assert told == f"generate.llamafactory.{name} is LLaMA-Factory's alone"
    assert weights.unservable(job(llamafactory={"quantization_bit": None})) == ""
    (tmp_path / "config.json").write_text('{"quantization_config": {"bits": 4}}')
    base = replace(job(), base=str(tmp_path))
    assert weights.unservable(base) == "", "vLLM loads what is quantised by itself"
    assert "its base is quantised" in weights.unservable(replace(base, adapter="a"))


def test_room_is_for_the_longest() -> None:
    room = arguments.room(job(), OF)
    assert arguments.longest([prompt("a", 3), prompt("b", 20)], room) == 28
    assert arguments.longest([prompt("a", 60)], room) == 64
    endless = arguments.room(job(), replace(OF, context=0))
    assert arguments.longest([prompt("a", 600)], endless) == 608
    assert misfit(prompt("a", 10**6), endless.context) is None
