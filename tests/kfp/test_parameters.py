"""A configuration becomes a pipeline's parameters and comes back the same, or is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from assay import config, local, task
from assay.cluster import parameters
from assay.config import Config
from assay.errors import SettingsError

JUDGE = {"endpoint": "https://judge.example/v1", "model": "big"}
EVALUATE = {"dataset": {"eval": "s3://b/eval.json"}, "model": "s3://b/model", "judge": JUDGE}
FINETUNE = {
    "dataset": {"train": "s3://b/train.json"},
    "finetune": {"base_model": "org/base", "template": "qwen3"},
    "judge": JUDGE,
}


def spec(name: str) -> dict[str, Any]:
    return dict(next(yaml.safe_load_all(local.compiled(name).read_text())))


SPECS = {name: spec(name) for name in ("evaluate", "finetune_and_evaluate")}


def there(settings: Config) -> dict[str, Any]:
    return parameters.to_parameters(settings, SPECS[parameters.pipeline_of(settings)])


def back(settings: Config, arguments: dict[str, Any]) -> Config:
    """What preflight makes of the arguments on the cluster, where KFP turns ints into floats."""

    def floats(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: floats(item) for name, item in value.items()}
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    received = parameters.preflight_receives(
        SPECS[parameters.pipeline_of(settings)], floats(arguments)
    )
    return config.from_parameters(task.whole(received))


generate = st.fixed_dictionaries(
    {},
    optional={
        "template": st.sampled_from(["", "qwen3"]),
        "batch_size": st.integers(1, 64),
        "cutoff_len": st.integers(16, 4096),
        "max_new_tokens": st.integers(1, 4096),
        "do_sample": st.booleans(),
        "temperature": st.floats(0.1, 1.9),
        "seed": st.integers(0, 2**31),
        "llamafactory": st.just({"infer_dtype": "bfloat16"}),
    },
)
judge = st.fixed_dictionaries(
    {key: st.just(value) for key, value in JUDGE.items()},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(64, 4096),
        "concurrency": st.integers(1, 99),
        "json_schema": st.booleans(),
        "api_key_env": st.sampled_from(["", "ASSAY_JUDGE_API_KEY"]),
    },
)
tuning = st.fixed_dictionaries(
    {"base_model": st.just("org/base"), "template": st.sampled_from(["qwen3", "llama3"])},
    optional={
        "finetuning_type": st.sampled_from(["lora", "full"]),
        "learning_rate": st.floats(1e-6, 1e-2),
        "epochs": st.one_of(st.integers(1, 9), st.floats(0.5, 9)),
        "batch_size": st.integers(1, 64),
        "lora_rank": st.integers(1, 64),
        "seed": st.integers(0, 2**31),
        "llamafactory": st.just({"bf16": True, "gradient_accumulation_steps": 4}),
    },
)
samples = st.integers(0, 10**6)


@trying(max_examples=25, deadline=None)
@given(
    mode=st.sampled_from(config.MODES),
    generate=generate,
    judge=judge,
    seed=st.integers(0, 2**31),
    max_samples=samples,
    baseline=st.sampled_from(["", "none", "org/other", "s3://b/other"]),
    history=st.sampled_from(["", "s3://b/nightly", "minio://b/team/nightly"]),
)
def test_every_evaluation_comes_back_the_same(
    mode: str,
    generate: Any,
    judge: Any,
    seed: int,
    max_samples: int,
    baseline: str,
    history: str,
) -> None:
    dataset = {"eval": "s3://b/eval.json", "seed": seed, "max_samples": max_samples}
    values = {**EVALUATE, "mode": mode, "generate": generate, "judge": judge, "dataset": dataset}
    settings = config.parse({**values, "baseline": baseline, "history": history})
    wanted = settings if settings.judged else replace(settings, judge=None)
    assert back(settings, there(settings)) == wanted


@trying(max_examples=25, deadline=None)
@given(generate=generate, judge=judge, tuning=tuning, max_samples=samples)
def test_every_fine_tune_comes_back_the_same(
    generate: Any, judge: Any, tuning: Any, max_samples: int
) -> None:
    dataset = {"train": "s3://b/train.json", "max_samples": max_samples}
    values = {"dataset": dataset, "finetune": tuning, "generate": generate, "judge": judge}
    settings = config.parse(values)
    assert back(settings, there(settings)) == settings


def test_only_what_is_set_becomes_an_argument() -> None:
    assert there(config.parse(EVALUATE)) == {
        "model": "s3://b/model",
        "eval_dataset": "s3://b/eval.json",
        "judge_endpoint": "https://judge.example/v1",
        "judge_model": "big",
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**EVALUATE, "dataset": {"eval": "eval.json"}}, r"dataset\.eval = eval\.json is a path"),
        ({**EVALUATE, "dataset": {"eval": "org/data"}}, r"dataset\.eval = org/data is a path"),
        ({**EVALUATE, "model": "/models/mine"}, r"model = /models/mine is a path of this machine"),
        ({**EVALUATE, "model": "./mine"}, "hub id"),
        ({**EVALUATE, "baseline": "../other"}, "baseline"),
        ({**FINETUNE, "finetune": {"base_model": "~/b", "template": "qwen3"}}, "base_model = ~/b"),
        ({**EVALUATE, "judge": {**JUDGE, "api_key_env": "MINE"}}, "judge_secret"),
        ({**EVALUATE, "history": "nightly"}, "history = nightly is a path of this machine"),
        ({**FINETUNE, "baseline": "org/other"}, "no parameter for baseline"),
        ({**FINETUNE, "history": "s3://b/nightly"}, "no parameter for history"),
        ({**EVALUATE, "metrics": {"metrics": ["bleu-4"]}}, r"no parameter for metrics\.metrics"),
    ],
)
def test_what_a_cluster_cannot_see_or_be_told_is_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        there(config.parse(values))


def test_a_model_directory_beside_the_configuration_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    with pytest.raises(SettingsError, match="model = mine is a path"):
        there(config.parse({**EVALUATE, "model": "mine"}))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"judge_secrt": "x"}, "Did you mean judge_secret"),
        ({"judge_secret": 3}, "judge_secret = 3 is no string"),
        ({"seed": True}, "seed = True is no number integer"),
        ({"seed": 1.5}, "seed = 1.5 is no number integer"),
        ({"judge_settings": []}, "is no struct"),
    ],
)
def test_a_parameter_of_another_name_or_type_is_refused(
    extra: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        parameters.to_parameters(config.parse(EVALUATE), SPECS["evaluate"], extra)


def test_a_given_parameter_wins() -> None:
    settings = config.parse({**EVALUATE, "model": "/models/mine"})
    found = parameters.to_parameters(settings, SPECS["evaluate"], {"model": "/volume/mine"})
    assert found["model"] == "/volume/mine"


def test_a_schedule_can_name_its_history() -> None:
    given = {"history": "s3://b/nightly"}
    found = parameters.to_parameters(config.parse(EVALUATE), SPECS["evaluate"], given)
    received = parameters.preflight_receives(SPECS["evaluate"], found)
    assert config.from_parameters(task.whole(received)).history == "s3://b/nightly"


def test_a_gate_reaches_the_pipeline() -> None:
    rules = {"overall": {"max_drop": 0.5}, "bleu-4": {"max_drop": 2}}
    asked = config.parse({**EVALUATE, "gate": {"rules": rules, "min_pairs": 20}})
    arguments = there(asked)
    assert arguments["gate"]["rules"] == rules
    assert back(asked, arguments) == asked


@pytest.mark.parametrize("name", ["rubric", "anchors"])
def test_a_judges_file_that_the_cluster_cannot_see_is_refused(name: str) -> None:
    for place, fits in (("own/file", False), ("s3://b/file", True)):
        asked = config.parse({**EVALUATE, "judge": {**JUDGE, name: place}})
        if fits:
            assert there(asked)["judge_settings"] == {name: place}
            continue
        with pytest.raises(SettingsError, match=f"judge.{name} = own/file is a path of this"):
            there(asked)
