"""Our loop of greedy answers writes what transformers' own writes, and says of which models."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import process
from assay.engine import capacity, greedy, rows, transformers
from assay.engine.batches import batches
from assay.llamafactory.prompts import Prompt

ENDS, PAD, WORDS = [5, 9, 33], 0, 64
OPTIONS: dict[str, Any] = {"do_sample": False, "num_beams": 1, "eos_token_id": ENDS}
NAN_WORD = 63


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows leave, records are made anew and prompts are read in several parts."""
    monkeypatch.setattr(greedy, "SPAN", 24)
    monkeypatch.setattr(greedy, "LOOK", 4)
    monkeypatch.setattr(greedy, "FEW", 2)
    monkeypatch.setattr(rows, "PREFILL", {"cpu": 60})


def model(kind: str = "Llama", *, shared: int = 2, **more: Any) -> Any:
    """Return a model of random weights, of whose eight heads so many share keys and values."""
    import torch
    import transformers as library

    torch.manual_seed(0)
    config = getattr(library, f"{kind}Config")(
        vocab_size=WORDS,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=8,
        num_key_value_heads=8 // shared,
        max_position_embeddings=256,
        **more,
    )
    return getattr(library, f"{kind}ForCausalLM")(config).eval()


def drawn(lengths: Sequence[int]) -> list[Prompt]:
    """Return prompts of these lengths, each known by its own place, of words at random."""
    import torch

    draw = torch.Generator().manual_seed(1)
    return [
        Prompt(
            id=str(at),
            tokens=torch.randint(10, NAN_WORD, (length,), generator=draw).tolist(),
            truncated=False,
            calls=False,
            wanted=None,
        )
        for at, length in enumerate(lengths)
    ]


def padded(made: Any, lengths: Sequence[int]) -> tuple[Any, Any]:
    return transformers._padded(made, drawn(lengths), max(lengths), PAD)


def to_end(ids: Sequence[int]) -> list[int]:
    ends = [at for at, id_ in enumerate(ids) if id_ in ENDS]
    return list(ids[: ends[0] + 1] if ends else ids)


@pytest.mark.parametrize("new", [1, 2, 70])
@pytest.mark.parametrize("lengths", [(30,), (30, 30, 22, 17, 12, 9, 8, 3, 1), (3, 17, 30, 8)])
@pytest.mark.parametrize(("kind", "shared"), [("Llama", 1), ("Llama", 4), ("Qwen3", 2)])
def test_the_answers_are_those_of_the_loop(
    llamafactory: None, kind: str, shared: int, lengths: tuple[int, ...], new: int
) -> None:
    made = model(kind, shared=shared)
    options = {**OPTIONS, "pad_token_id": PAD, "max_new_tokens": new}
    tokens, mask = padded(made, lengths)
    room = [new] * len(lengths)
    theirs, _ = transformers._loop(made, tokens, mask, options, room)
    ours, broken = greedy.answers(made, tokens, mask, options, room)
    assert [to_end(ids) for ids in ours] == [to_end(ids) for ids in theirs]
    assert not any(broken)
    assert made.config._attn_implementation == "sdpa"  # as it was


def test_answers_that_end_early_leave_the_others_as_they_were(llamafactory: None) -> None:
    made = model()
    tokens, mask = padded(made, [9] * 12)
    options, room = {**OPTIONS, "pad_token_id": PAD, "max_new_tokens": 60}, [60] * 12
    free, _ = greedy.answers(made, tokens, mask, {**options, "eos_token_id": [WORDS]}, room)
    ends = sorted({ids[10] for ids in free[:6]})  # so that half of them end there or before
    expected = [
        ids[: next((at + 1 for at, id_ in enumerate(ids) if id_ in ends), None)] for ids in free
    ]
    assert len({len(ids) for ids in expected}) > 1
    ours, _ = greedy.answers(made, tokens, mask, {**options, "eos_token_id": ends}, room)
    assert [ids[: len(want)] for ids, want in zip(ours, expected, strict=True)] == expected
    assert all(set(ids[len(want) :]) <= {PAD} for ids, want in zip(ours, expected, strict=True))


def test_a_row_of_nan_is_told_and_no_other(llamafactory: None) -> None:
    import torch

    made = model()
    with torch.no_grad():
        made.get_input_embeddings().weight[NAN_WORD] = torch.nan
        made.get_output_embeddings().weight[NAN_WORD] = 0  # it is never written
    tokens, mask = padded(made, (9, 8, 5))
    tokens[1, -2] = NAN_WORD
    options = {**OPTIONS, "pad_token_id": PAD, "max_new_tokens": 30}
    assert greedy.answers(made, tokens, mask, options, [30] * 3)[1] == [False, True, False]


@pytest.mark.parametrize(
    ("kind", "more", "plain"),
    [
        ("Llama", {}, True),
        ("Qwen2", {}, True),
        ("Mistral", {"sliding_window": 16}, False),  # it forgets
        ("Llama", {"attn_implementation": "eager"}, False),
    ],
)
def test_which_models_this_loop_serves(
    llamafactory: None, kind: str, more: dict[str, Any], plain: bool
) -> None:
    made = model(kind, **more)
    assert greedy.is_plain(made) is plain
    made.is_quantized = True
    assert not greedy.is_plain(made)
    made.is_quantized, made.hf_device_map = False, {"model": 0, "lm_head": 1}
    assert not greedy.is_plain(made)


def test_a_cpu_answers_many_at_once_as_its_memory_allows(
    llamafactory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model()
    assert greedy.serves(made, OPTIONS)
    assert not greedy.serves(made, {**OPTIONS, "do_sample": True})
    assert capacity.at_once(16) == 64
    room, kept = capacity.room(made), capacity.remembered(made)
    assert list(capacity.parts(room, range(9), 100)) == [range(9)]
    rss = psutil.Process().memory_info().rss
    monkeypatch.setattr(process, "memory", lambda: rss + 2**30)  # the container's limit
    assert room(1000) == pytest.approx(0.4 * 2**30 / (1000 * kept), rel=0.1)
    monkeypatch.setattr(process, "memory", lambda: rss // 2)
    assert room(1000) == 1


@pytest.mark.parametrize(
    ("options", "is_greedy"),
    [
        ({}, True),
        ({"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}, True),
        ({"repetition_penalty": None}, True),
        ({"do_sample": True}, False),
        ({"num_beams": 4}, False),
        ({"repetition_penalty": 1.2}, False),
    ],
)
def test_which_options_are_greedy(options: dict[str, Any], is_greedy: bool) -> None:
    assert greedy.is_greedy(options) is is_greedy


def test_what_is_remembered_of_a_token(llamafactory: None) -> None:
    keys_and_values, layers, heads, size, float32 = 2, 3, 8 // 4, 8, 4
    assert capacity.remembered(model(shared=4)) == keys_and_values * layers * heads * size * float32


def test_a_model_is_asked_once_what_it_remembers(
    llamafactory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model()
    kept = capacity.remembered(made)
    asked: list[int] = []
    made.register_forward_hook(lambda *_: asked.append(1))
    left = [1000, 500, 3]  # tokens that it has room for
    monkeypatch.setattr(capacity, "_left", lambda: 1.001 / 0.4 * kept * left.pop(0))
    room = capacity.room(made)
    assert [room(10), room(100), room(9)] == [100, 5, 1]
    assert len(asked) == 1


def test_an_accelerator_says_what_it_has_free(
    llamafactory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    device = SimpleNamespace(empty_cache=lambda: None, mem_get_info=lambda _: (1000, 2000))
    monkeypatch.setattr(torch, "get_device_module", lambda _: device)
    free = capacity._free(torch.device("meta"))
    assert free is not None
    assert free() == 800
    monkeypatch.delattr(device, "mem_get_info")
    assert capacity._free(torch.device("meta")) is None


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(0, 50))
def test_a_batch_is_answered_in_as_few_parts_as_there_is_room_for(
    lengths: list[int], room: int
) -> None:
    asked = [
        Prompt(id=f"{at:02}", tokens=[1] * length, truncated=False, calls=False, wanted=None)
        for at, length in enumerate(lengths)
    ]
    for batch in batches(asked, 16, 8):
        parts = list(capacity.parts(lambda _tokens: room, batch, 98))
        assert [prompt for part in parts for prompt in part] == batch
        assert all(1 <= len(part) <= (room or len(batch)) for part in parts)
        assert len(parts) == (-(-len(batch) // room) if room else 1)
        assert max(map(len, parts)) - min(map(len, parts)) <= len(parts)
