"""Which prompts go together, on which devices, and when too many have no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import ending, llamafactory, store
from assay.engine import batches as batching
from assay.engine import devices, shards
from assay.engine.answering import answered, done, in_order
from assay.engine.batches import batches
from assay.engine.outcome import FailureCount
from assay.errors import InputError, SettingsError, StageError
from assay.folder import RESULTS
from assay.llamafactory.evaluate import gather
from assay.llamafactory.job import Means
from assay.llamafactory.prompts import Prompt
from assay.records import FAILURES, Failure, Likelihood, Message, Prediction, Sample
from tests.jobs import JOB

GIB = 2**30


def prompts(lengths: Sequence[int]) -> list[Prompt]:
    return [
        Prompt(id=f"{at:04}", tokens=[1] * length, truncated=False, calls=False, wanted=None)
        for at, length in enumerate(lengths)
    ]


def row(id_: str, cause: Failure | None = None) -> Prediction:
    return Prediction(
        id=id_,
        output="" if cause else "Red.",
        finish="stop",
        prompt_tokens=9,
        output_tokens=1,
        unanswered=cause or "",
    )


@given(st.lists(st.integers(0, 900), max_size=60), st.integers(1, 20), st.integers(1, 300))
def test_every_prompt_is_in_one_batch_and_none_takes_more_memory(
    lengths: list[int], size: int, new_tokens: int
) -> None:
    made = batches(prompts(lengths), size, new_tokens)
    assert sorted(prompt.id for batch in made for prompt in batch) == [
        prompt.id for prompt in prompts(lengths)
    ]
    widths = [len(batch[0].tokens) + new_tokens for batch in made]
    assert widths == sorted(widths, reverse=True)
    for batch, width in zip(made, widths, strict=True):
        assert len(batch) * width <= size * widths[0]
        assert all(3 * (len(prompt.tokens) + new_tokens) >= width for prompt in batch)


def test_of_many_prompts_a_window_at_a_time_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW", 10)
    made: list[str] = []

    def coming() -> Iterator[Prompt]:
        for prompt in prompts([5, 90, 7] * 15):
            made.append(prompt.id)
            yield prompt

    seen: list[str] = []
    for batch in batching.in_windows(coming(), 2, 8):
        seen += [prompt.id for prompt in batch]
        assert len(made) <= len(seen) + 10
    assert sorted(seen) == made
    assert len(made) == 45


def test_batches_do_not_depend_on_the_order_of_the_file() -> None:
    asked = prompts([5, 90, 5, 40, 7])
    assert batches(asked[::-1], 2, 8) == batches(asked, 2, 8)


@pytest.fixture(name="grouped")
def make_grouped(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, str]]]:
    """The groups on a machine with so many GPUs, of which each has so much memory free."""

    def grouped(
        seen: int, weights: int = 0, free: int = 80 * GIB, **means: Any
    ) -> list[dict[str, str]]:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(devices, "in_sight", lambda: seen)
        monkeypatch.setattr(devices, "free", lambda: [free] * seen)
        monkeypatch.setattr(devices, "weights", lambda _: weights)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        return [dict(group) for group in devices.groups(JOB, Means(**means))]

    return grouped


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"seen": 1}, ["0"]),
        ({"seen": 3}, ["0", "1", "2"]),
        ({"seen": 4, "devices": 2}, ["0", "1"]),
        ({"seen": 4, "devices_each": 2}, ["0,1", "2,3"]),
        ({"seen": 5, "devices_each": 2}, ["0,1", "2,3"]),
        ({"seen": 8, "weights": 140 * GIB}, ["0,1,2", "3,4,5"]),
        ({"seen": 2, "weights": 900 * GIB}, ["0,1"]),
        ({"seen": 0}, ["0"]),
        ({"seen": 0, "devices": 2}, ["0", "0"]),
    ],
)
def test_a_process_sees_as_many_devices_as_its_model_takes(
    grouped: Any, given: dict[str, int], seen: list[str]
) -> None:
    groups = grouped(**given)
    assert [group["CUDA_VISIBLE_DEVICES"] for group in groups] == seen
    assert [devices.size(group) for group in groups] == [len(ids.split(",")) for ids in seen]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seen": 2, "devices": 3}, r"generate\.devices is 3, and there are 2 devices in sight"),
        ({"seen": 0, "devices": 3}, r"generate\.devices is 3, and there are 2 cores"),
        ({"seen": 2, "devices_each": 4}, r"generate\.devices_each is 4, .* 2 devices used"),
        ({"seen": 4, "devices": 2, "devices_each": 3}, r"devices_each is 3, .* 2 devices used"),
    ],
)
def test_more_devices_than_there_are_is_refused(
    grouped: Any, given: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        grouped(**given)


def test_what_others_hold_of_a_device_that_is_not_used_does_not_matter(
    grouped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped(seen=4)
    monkeypatch.setattr(devices, "weights", lambda _: 20 * GIB)
    monkeypatch.setattr(devices, "free", lambda: [80 * GIB, 80 * GIB, GIB, 0])
    assert len(devices.groups(JOB, Means(devices=2))) == 2
    (all_of_them,) = devices.groups(JOB, Means())
    assert devices.size(all_of_them) == 4


def test_weights_that_a_folder_holds_in_two_forms_count_once(tmp_path: Path) -> None:
    store.write_json(
        tmp_path / "model.safetensors.index.json",
        {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}},
    )
    for name in ("model-1.safetensors", "model-2.safetensors", "consolidated.safetensors"):
        (tmp_path / name).write_bytes(bytes(100))
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(200))
    assert devices.weights(replace(JOB, base=str(tmp_path))) == 200
    assert devices.weights(replace(JOB, base="owner/name")) == 0


@pytest.mark.parametrize(
    ("given", "asked", "seen"),
    [("GPU-a,GPU-b,GPU-c", 2, "GPU-a,GPU-b"), (None, 1, "0"), ("3,4", 0, "3,4")],
)
def test_an_engine_that_lays_the_model_out_sees_no_more_devices_than_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: str | None, asked: int, seen: str
) -> None:
    environment = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(devices, "in_sight", lambda: 3)
    devices.narrow(Means(devices=asked))
    assert environment["CUDA_VISIBLE_DEVICES"] == seen


def test_the_memory_of_one_process_is_the_cause_though_another_that_misses_it_ends_first() -> None:
    ends = (
        f"import time; time.sleep(1); raise SystemExit({ending.NO_ROOM})",
        "raise SystemExit(1)",
    )
    children = [subprocess.Popen([sys.executable, "-c", code]) for code in ends]
    codes = shards._with_the_cause(children, shards._until_one_fails(children, lambda: None))
    assert codes == [ending.NO_ROOM, 1]


@pytest.mark.parametrize("name", ["CUDA", "HIP", "ASCEND_RT"])
def test_of_those_that_are_visible_each_process_sees_its_own(name: str) -> None:
    variable = f"{name}_VISIBLE_DEVICES"
    seen = [llamafactory.only({variable: "GPU-a,GPU-b,7"}, [at])[variable] for at in range(3)]
    assert seen == ["GPU-a", "GPU-b", "7"]
    assert llamafactory.only({variable: "4,5,6"}, [1, 2])[variable] == "5,6"


def test_a_sample_that_failed_is_asked_again_and_one_that_was_answered_is_not(
    tmp_path: Path,
) -> None:
    store.write_rows(tmp_path / "predictions-0.jsonl", [row("a"), row("b", "out_of_memory")])
    store.write_rows(tmp_path / "predictions-1.jsonl", [row("c", "not_finite"), row("d")])
    store.write_rows(tmp_path / "predictions.jsonl", [row("c")])
    assert done(tmp_path) == {"a", "c", "d"}
    last = {"a": "", "b": "out_of_memory", "c": "", "d": ""}
    rows = in_order(tmp_path, "dacb", whole=True)
    assert [(found.id, found.unanswered) for found in rows] == [(id_, last[id_]) for id_ in "dacb"]
    assert [found.id for found in in_order(tmp_path, "dxa", whole=False)] == ["d", "a"]
    with pytest.raises(StageError, match="id=x has no row"):
        list(in_order(tmp_path, "dxa", whole=True))
    assert {id_: found.unanswered for id_, found in answered(tmp_path).items()} == {
        "a": "",
        "b": "out_of_memory",
        "c": "",
        "d": "",
    }


@pytest.mark.parametrize("cause", FAILURES[:4])  # the others are of endpoints
def test_too_many_failures_end_the_stage_with_the_sample_and_a_remedy(cause: Failure) -> None:
    outcome = FailureCount(total=10, most=0.2)
    outcome.count([row("a"), row("b", cause), row("c", cause)])
    assert outcome.note() == f"no answer: 2 {cause}"
    ended = rf"3 of 10 .*3 {cause}\), the last one: id=d .*max_unanswered is 0.2\. [A-Z].*rest"
    with pytest.raises(StageError, match=ended):
        outcome.count([row("d", cause)])


@pytest.mark.parametrize("error", [InputError("a", "b"), StageError("a", "b")])
def test_what_a_process_raises_reaches_the_one_that_started_it(
    tmp_path: Path, error: StageError
) -> None:
    with pytest.raises(SystemExit) as ended, ending.left(tmp_path / "error.json"):
        raise error
    assert ended.value.code == error.exit_code
    told = ending.read(tmp_path / "error.json")
    assert (type(told), str(told)) == (type(error), "a. b")


def test_the_process_that_was_killed_is_named_before_those_that_miss_it(tmp_path: Path) -> None:
    logs = [tmp_path / "generate-0.log", tmp_path / "generate-1.log"]
    logs[0].write_text("Connection closed by peer\n")
    logs[1].write_text("Answering\n")
    ended = shards._failure([1, -9], logs, tmp_path, killed=False)
    assert str(ended).startswith("Generation, process 2 of 2, ended with signal SIGKILL")
    with pytest.raises(SystemExit), ending.left(tmp_path / "error-0.json"):
        raise InputError("id=a: the template cannot write this", "Correct it")
    assert str(shards._failure([2, 1], logs, tmp_path, killed=False)).startswith("id=a")


def test_parts_without_their_sums_are_evaluated_again(tmp_path: Path) -> None:
    """A machine that takes up the work of another has the rows, and not what came of all."""
    sample = Sample(id="a", messages=(Message(role="user", content="Q"),), target="T")
    part = Likelihood(id="a", values={"eval_loss": 0.5, "accuracy": 1.0}, unscored={}, tokens=2)
    store.write_rows(tmp_path / "likelihood-0.jsonl", [part])
    assert not gather([sample], tmp_path)
    store.write_json(tmp_path / "evaluation" / RESULTS, {"eval_loss": 0.25})
    assert gather([sample], tmp_path)
    assert store.read_json(tmp_path / RESULTS) == {"eval_loss": 0.25, "eval_token_loss": 0.5}
    # of what is NaN nothing is counted, nor what LLaMA-Factory takes it to predict
    said = {"eval_loss": float("nan"), "eval_accuracy": 0.0}
    (tmp_path / "evaluation" / RESULTS).write_text(json.dumps(said))
    assert gather([sample], tmp_path)
    assert store.read_json(tmp_path / RESULTS) == {"eval_token_loss": 0.5}
