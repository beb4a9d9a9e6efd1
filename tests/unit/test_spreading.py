"""What of the settings of a training holds for an evaluation of the model in parts."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import progress
from assay.engine import several, shards
from assay.engine.asked import Assignment, answering
from assay.errors import InputError, SettingsError
from assay.llamafactory import spreading
from assay.llamafactory.job import Means
from assay.llamafactory.order import StoredSamples
from assay.progress.pace import Pace
from assay.records import Prediction
from tests.jobs import JOB

# as a training is given them: by hand, for its own batches, with its optimizer
TRAINED: dict[str, Any] = {
    "train_batch_size": 64,
    "train_micro_batch_size_per_gpu": 2,
    "gradient_accumulation_steps": 4,
    "optimizer": {"type": "AdamW", "params": {"lr": "auto"}},
    "bf16": {"enabled": True},
}


def by(spread: dict[str, Any], dtype: str = "float32") -> dict[str, Any]:
    return spreading.arguments(replace(JOB, spread=spread), dtype)


def assigned(folder: Path, **more: Any) -> Assignment:
    """Return what a process is to do in `folder`: one sample, of which nobody hears, or `more`."""
    usual: dict[str, Any] = {"job": JOB, "means": Means(), "count": 1, "listen": progress.ignore}
    stored = StoredSamples(path=folder, starts=(0,))
    return Assignment(samples=folder, evaluated=stored, work=folder, side="", **(usual | more))


@pytest.mark.parametrize(
    ("zero", "kept"),
    [
        ({"stage": 2, "overlap_comm": True, "offload_optimizer": {"device": "cpu"}}, {}),
        ({"stage": 3, "offload_param": {"device": "cpu"}}, {"offload_param": {"device": "cpu"}}),
        (
            {"stage": 3, "stage3_max_live_parameters": 9, "zero_quantized_weights": True},
            {"stage3_max_live_parameters": 9},
        ),
        (None, {}),
    ],
)
@pytest.mark.parametrize("in_a_file", [False, True])
def test_of_deepspeed_where_the_weights_lie(
    zero: dict[str, Any] | None, kept: dict[str, Any], in_a_file: bool, tmp_path: Path
) -> None:
    config = TRAINED | ({"zero_optimization": zero} if zero else {})
    (tmp_path / "ds.json").write_text(json.dumps(config))
    found = by({"deepspeed": str(tmp_path / "ds.json") if in_a_file else config})
    assert found["deepspeed"].pop("zero_optimization") == kept | {"stage": 3}
    assert set(map(str, found["deepspeed"].values())) == {"auto", "{'enabled': 'auto'}"}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "None"])
def test_deepspeed_has_the_weights_in_the_models_own_precision(dtype: str) -> None:
    found = by({"deepspeed": TRAINED}, dtype)
    assert (found["bf16"], found["fp16"]) == (dtype == "bfloat16", dtype == "float16")


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        ({}, False),
        ({"fsdp_config": {"min_num_params": 1}}, False),
        ({"deepspeed": None, "fsdp": ""}, False),
        ({"fsdp": "full_shard auto_wrap"}, True),
        ({"deepspeed": "ds.json"}, True),
    ],
)
def test_without_settings_that_say_how_nothing_is_begun(
    spread: dict[str, Any], said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(several, "_evaluate", lambda *given: begun.append(given[-1]))
    asked = assigned(tmp_path, job=replace(JOB, spread=spread), means=Means(devices=2))
    with nullcontext() if said else pytest.raises(SettingsError, match="nothing says how"):
        several.evaluate_spread(asked)
    assert begun == ["loss+spread"] * said


@pytest.mark.parametrize(("phases", "told"), [("loss", []), ("loss+answers", ["done"])])
def test_who_only_evaluates_reports_no_answering(
    phases: str, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine answers afterwards: "0/1 samples, done" would be a lie until then."""
    monkeypatch.setattr(shards, "run", lambda *_given, **_more: None)
    events: list[progress.Progress] = []
    asked = assigned(tmp_path, listen=events.append)
    several._run(asked, [{}], phases, 1)
    assert [event.state for event in events if event.state == "done"] == told


@pytest.mark.parametrize("batches", [(4,), (2, 2)])
def test_the_first_answers_count_for_no_rate(batches: tuple[int, ...], tmp_path: Path) -> None:
    """They are known when they are all there: 4 samples in no time would be thousands a second."""
    events: list[progress.Progress] = []
    asked = assigned(tmp_path, count=4, listen=events.append)
    prediction = Prediction(id="", output="x", finish="stop", prompt_tokens=1, output_tokens=1)
    asked.listen(progress.Progress(stage="generate", note="loading the model"))
    time.sleep(0.1)
    with answering(asked) as told:
        for count in batches:
            told([prediction] * count)
            time.sleep(0.3)
    pace = Pace()
    found = [pace.rate(event) for event in events]
    assert all(rate is None or rate < 10 for rate in found), found
    assert any(found) == (len(batches) > 1)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ds\.json, which deepspeed names, is not there"):
        by({"deepspeed": str(tmp_path / "ds.json")})


def test_several_adapters_are_refused_where_none_is_merged() -> None:
    job = replace(JOB, adapter="sft,dpo", spread={"deepspeed": TRAINED})
    with pytest.raises(SettingsError, match=r"2 adapters are on top .* ZeRO-3 merges none"):
        spreading.arguments(job, "float32")


def test_what_is_beside_the_weights_is_evaluated_as_it_was_loaded(llamafactory: None) -> None:
    """As DeepSpeed does, everything is rounded when the model is prepared."""
    import torch

    part = torch.nn.Identity()
    part.register_buffer("inv_freq", torch.tensor([0.1]), persistent=False)
    part.register_buffer("places", torch.tensor([7]))
    part.register_parameter("weight", torch.nn.Parameter(torch.tensor([0.1])))
    model = torch.nn.Sequential(part)
    spreading.keep_buffers(model)
    model.bfloat16()
    assert part.inv_freq.dtype == torch.bfloat16
    model(torch.ones(1))
    assert part.inv_freq.equal(torch.tensor([0.1]))
    assert part.places.dtype == torch.int64
    assert part.weight.dtype == torch.bfloat16
