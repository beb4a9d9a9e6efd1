"""A configuration becomes a pipeline's parameters and comes back the same, or is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from assay import compiled, task
from assay import config as configuration
from assay.config import Config
from assay.errors import SettingsError
from assay.kubeflow import parameters, pipelines

JUDGE = {"endpoint": "https://judge.example/v1", "model": "big"}
EVALUATE = {"dataset": {"eval": "s3://b/eval.json"}, "model": "s3://b/model", "judge": JUDGE}
FINETUNE = {
    "dataset": {"train": "s3://b/train.json"},
    "finetune": {"base_model": "org/base", "template": "qwen3"},
    "judge": JUDGE,
}


def spec(name: str) -> dict[str, Any]:
    return pipelines.spec(compiled.pipeline(name).read_text())


SPECS = {name: spec(name) for name in ("evaluate", "finetune_and_evaluate")}


def there(config: Config) -> dict[str, Any]:
    return parameters.to_parameters(config, SPECS[parameters.pipeline_of(config)])


def back(config: Config, arguments: dict[str, Any]) -> Config:
    """What preflight makes of the arguments on the cluster, where KFP turns ints into floats, or
    here, where kfp.local hands no null over."""

    def floats(value: Any) -> Any:
        assert value is not None
        if isinstance(value, list):
            return [floats(item) for item in value]
        if isinstance(value, dict):
            return {name: floats(item) for name, item in value.items()}
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    received = parameters.preflight_receives(
        SPECS[parameters.pipeline_of(config)], floats(arguments)
    )
    return configuration.from_parameters(task.whole(received))


generate = st.fixed_dictionaries(
    {},
    optional={
        "engine": st.sampled_from(["auto", "transformers"]),
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
        "temperature": st.floats(0, 2) | st.just("none"),
        "extra_body": st.sampled_from(
            [{}, {"chat_template_kwargs": {"think": None}}, {"stop": None, "bias": [None, 1, 2.5]}]
        ),
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
behind = st.fixed_dictionaries(
    {"endpoint": st.just("https://models.example/v1"), "name": st.sampled_from(["tuned", "a/b:c"])},
    optional={
        "api_key_env": st.sampled_from(["", "ASSAY_MODEL_API_KEY", "ASSAY_BASELINE_API_KEY"]),
        "extra_body": st.sampled_from([{}, {"top_k": 1, "chat_template_kwargs": {"think": None}}]),
        "concurrency": st.integers(1, 99),
        "timeout_s": st.floats(1, 99),
        "price": st.just({"input": 1.5, "output": 2.0}),
    },
)
samples = st.integers(0, 10**6)


@trying(max_examples=25, deadline=None)
@given(
    model=behind | st.just("s3://b/model"),
    baseline=behind | st.sampled_from(["", "none", "s3://b/other"]),
)
def test_a_model_behind_an_endpoint_comes_back_the_same(model: Any, baseline: Any) -> None:
    config = configuration.parse({**EVALUATE, "model": model, "baseline": baseline})
    assert back(config, there(config)) == config


@pytest.mark.parametrize("dataset", [{}, {"dataset": {"eval": "s3://b/eval.json"}}])
@pytest.mark.parametrize("baseline", [{}, {"baseline": "s3://b/b.jsonl"}])
def test_files_of_answers_come_back_the_same(dataset: Any, baseline: Any) -> None:
    files = {"candidate": "s3://b/a.jsonl", **baseline}
    config = configuration.parse({"mode": "auto", "predictions": files, **dataset})
    assert back(config, there(config)) == config


def test_a_file_of_answers_that_the_cluster_cannot_see_is_refused() -> None:
    config = configuration.parse({"mode": "auto", "predictions": "own/a.jsonl"})
    with pytest.raises(SettingsError, match=r"model\.predictions = own/a\.jsonl is a path of this"):
        there(config)


def test_a_fine_tune_may_be_compared_with_one() -> None:
    baseline = {"endpoint": "https://models.example/v1", "name": "big"}
    config = configuration.parse({**FINETUNE, "baseline": baseline})
    assert back(config, there(config)) == config


def test_a_key_that_no_pod_has_is_refused() -> None:
    model = {"endpoint": "https://models.example/v1", "name": "m", "api_key_env": "MY_KEY"}
    with pytest.raises(SettingsError, match=r"model.api_key_env = MY_KEY.*model-key"):
        there(configuration.parse({**EVALUATE, "model": model}))


@trying(max_examples=25, deadline=None)
@given(
    mode=st.sampled_from(configuration.MODES),
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
    config = configuration.parse({**values, "baseline": baseline, "history": history})
    wanted = configuration.without_unwanted(config)
    assert back(config, there(config)) == wanted


@trying(max_examples=25, deadline=None)
@given(generate=generate, judge=judge, tuning=tuning, max_samples=samples)
def test_every_fine_tune_comes_back_the_same(
    generate: Any, judge: Any, tuning: Any, max_samples: int
) -> None:
    dataset = {"train": "s3://b/train.json", "max_samples": max_samples}
    values = {"dataset": dataset, "finetune": tuning, "generate": generate, "judge": judge}
    config = configuration.parse(values)
    assert back(config, there(config)) == config


# every setting that there is, at another value than its default
EVERYTHING: dict[str, Any] = yaml.safe_load("""
dataset: {train: "s3://b/train.json", eval: "s3://b/eval.json", format: sharegpt, max_samples: 5,
  eval_fraction: 0.25, selection_fraction: 0.2, seed: 7, every_turn: true,
  skip_invalid: true, cluster: talk, near_prompts: false,
  tags: [category, source]}
finetune: {base_model: org/base, template: qwen3, finetuning_type: full, learning_rate: 0.5,
  epochs: 1.5, batch_size: 3, lora_rank: 4, cutoff_len: 99, seed: 8, checkpoints: best,
  select_by: bleu-4, llamafactory: {bf16: true}}
generate: {engine: transformers, template: llama3, batch_size: 4, cutoff_len: 98,
  max_new_tokens: 97, do_sample: true,
  temperature: 0.5, top_p: 0.5, top_k: 3, repetition_penalty: 1.5, seed: 9, evaluate_loss: false,
  score_thoughts: true, thought_marks: [<a>, </a>],
  devices: 4, devices_each: 2, max_unanswered: 0.25,
  cache: "s3://b/kept", cache_gb: 3, llamafactory: {infer_dtype: bfloat16},
  vllm: {max_num_seqs: 8}}
metrics: {metrics: [bleu-4], processes: 2, task: {labels: [a, b], pattern: x, tolerance: 0.5,
  relative_tolerance: 0.25, choices: ABC, schema: {type: object}, call_order: false,
  encoder: org/encoder, encoder_layer: 9, unread: wrong}}
judge: {endpoint: "https://judge.example/v1", model: big, api_key_env: "", temperature: 0.5,
  headers: {api-key: ASSAY_JUDGE_API_KEY, x-sub: ASSAY_JUDGE_HEADER_1},
  query: {api-version: "2024-10-21"}, extra_body: {reasoning_effort: low}, stream: true,
  ca_file: "s3://b/ca.pem",
  max_tokens: 96, rubric: "s3://b/rubric", json_schema: false, repeats: 2, one_call_each: true,
  max_samples: 4, concurrency: 2, requests_per_minute: 3, tokens_per_minute: 4, timeout_s: 5,
  retries: 6, self_test: false, anchors: "s3://b/anchors", flip_sample: 5,
  calibration: "s3://b/c", pairwise: true,
  panel: [{model: other, endpoint: "https://other.example/v1"}],
  prices: {big: {input: 1, output: 2}}, max_cost: 3, max_unscored: 0.25,
    batch: true, batch_hours: 3, batch_requests: 9, batch_megabytes: 2, max_wait_s: 5, outage_s: 6}
cluster: {runner: volcano, queue: research, priority_class: batch, nodes: 2, replicas: 3, gpus: 8,
  cpu: "4", accelerator: amd.com/gpu, node_selector: {pool: gpu},
  tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}],
  memory: 9Gi, retries: 1, timeout_s: 60, ttl_seconds: 5, image: "team/mine:1", store_secret: mine,
  autoscaled: true, lease_s: 61, closed_s: 62}
store: {wait_s: 60}
gate: {rules: {overall: {max_drop: 0.5, min: 6}}, primary: safety, min_pairs: 20,
  max_unscored: 0.25, trust_advisory: true, require_admitted: true, against: [accepted]}
baseline: org/other
base_model: org/moved
history: s3://b/nightly
""")


@pytest.mark.parametrize("section", configuration.SECTIONS)
def test_everything_is_everything(section: str) -> None:
    fields = dataclasses.fields(configuration.SECTIONS[section])
    assert {field.name for field in fields} == set(EVERYTHING[section])
    names = {field.name for field in dataclasses.fields(Config)} - {"scoring"}
    assert names | set(configuration.SECTIONS) == {*EVERYTHING, "mode", "model"}
    for field in fields:
        assert EVERYTHING[section][field.name] != field.default, field.name


@pytest.mark.parametrize("mode", configuration.MODES)
def test_every_setting_reaches_either_pipeline(mode: str) -> None:
    finetune = {**EVERYTHING, "mode": mode}
    evaluate = {**finetune, "finetune": None, "model": "org/tuned"}
    for config in map(configuration.parse, (finetune, evaluate)):
        wanted = configuration.without_unwanted(config)
        assert back(config, there(config)) == wanted


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"mode": "auto"}, r"more_settings\.mode is not a setting.*Known: base_model, baseline"),
        ({"datset": {}}, "Did you mean dataset"),
        ({"dataset": 3}, r"more_settings\.dataset is 3, not a mapping"),
        ({"cluster": {"que": "x"}}, r"cluster\.que is not a setting.*Did you mean queue"),
    ],
)
def test_a_form_with_more_settings_that_there_are_not_is_refused(
    more: dict[str, Any], message: str
) -> None:
    arguments = {**there(configuration.parse(EVALUATE)), "more_settings": more}
    received = parameters.preflight_receives(SPECS["evaluate"], arguments)
    with pytest.raises(SettingsError, match=message):
        configuration.from_parameters(task.whole(received))


def test_only_what_is_set_becomes_an_argument() -> None:
    assert there(configuration.parse(EVALUATE)) == {
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
        ({**EVALUATE, "judge": {**JUDGE, "headers": {"x-sub": "MINE"}}}, "judge.headers.x-sub = M"),
        ({**EVALUATE, "judge": {**JUDGE, "ca_file": "ca.pem"}}, r"judge\.ca_file = ca\.pem is a"),
        ({**EVALUATE, "history": "nightly"}, "history = nightly is a path of this machine"),
        ({**FINETUNE, "history": "nightly"}, "history = nightly is a path of this machine"),
        ({**FINETUNE, "generate": {"cache": "kept"}}, r"generate\.cache = kept is a path of this"),
    ],
)
def test_what_a_cluster_cannot_see_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        there(configuration.parse(values))


@pytest.mark.parametrize("name", ["org/m", "org/m@v2", "org/m@refs/pr/5", f"org/m@{'1' * 40}"])
def test_a_hub_id_may_have_a_revision(name: str) -> None:
    assert there(configuration.parse({**EVALUATE, "model": name}))["model"] == name


def test_a_model_directory_beside_the_configuration_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    with pytest.raises(SettingsError, match="model = mine is a path"):
        there(configuration.parse({**EVALUATE, "model": "mine"}))


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
        parameters.to_parameters(configuration.parse(EVALUATE), SPECS["evaluate"], extra)


def test_a_given_parameter_wins() -> None:
    config = configuration.parse({**EVALUATE, "model": "/models/mine"})
    found = parameters.to_parameters(config, SPECS["evaluate"], {"model": "/volume/mine"})
    assert found["model"] == "/volume/mine"


def test_a_schedule_can_name_its_history() -> None:
    given = {"history": "s3://b/nightly"}
    found = parameters.to_parameters(configuration.parse(EVALUATE), SPECS["evaluate"], given)
    received = parameters.preflight_receives(SPECS["evaluate"], found)
    assert configuration.from_parameters(task.whole(received)).history == "s3://b/nightly"


def test_a_gate_reaches_the_pipeline() -> None:
    rules = {
        "overall": {"max_drop": 0.5, "min": 6},
        "bleu-4": {"max_drop": 2},
        "rouge-l": {"max_drop": "2.5%", "tier": "supporting"},
    }
    asked = configuration.parse({**EVALUATE, "gate": {"rules": rules, "min_pairs": 20}})
    arguments = there(asked)
    assert arguments["gate"]["rules"]["bleu-4"]["max_drop"] == 2
    assert back(asked, arguments) == asked


@pytest.mark.parametrize("name", ["rubric", "anchors", "calibration"])
def test_a_judges_file_that_the_cluster_cannot_see_is_refused(name: str) -> None:
    for place, fits in (("own/file", False), ("s3://b/file", True)):
        asked = configuration.parse({**EVALUATE, "judge": {**JUDGE, name: place}})
        if fits:
            assert there(asked)["judge_settings"] == {name: place}
            continue
        with pytest.raises(SettingsError, match=f"judge.{name} = own/file is a path of this"):
            there(asked)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"finetune": {"base_model": "org/m", "template": "qwen33"}}, "Did you mean qwen3?"),
        ({"generate": {"llamafactory": {"rope_scalin": "x"}}}, "Did you mean rope_scaling?"),
        ({"gate": {"rules": {"blue-4": {"max_drop": 1}}}}, r"gate\.rules\.blue-4"),
    ],
)
def test_what_could_work_nowhere_is_refused_before_anything_is_submitted(
    changed: dict[str, Any], message: str
) -> None:
    values = {"dataset": {"train": "s3://b/t", "eval": "s3://b/e"}, "mode": "auto"}
    tuned = {"finetune": {"base_model": "org/m", "template": "qwen3"}}
    with pytest.raises(SettingsError, match=message):
        there(configuration.parse({**values, **tuned, **changed}))


def test_a_metric_that_only_the_cluster_has_is_the_clusters_to_check() -> None:
    rules = {"their-own": {"max_drop": 1.0}}
    given = there(
        configuration.parse(
            {
                "dataset": {"eval": "s3://b/e"},
                "model": "org/m",
                "mode": "auto",
                "metrics": {"metrics": ["their-own"]},
                "gate": {"rules": rules},
            }
        )
    )
    assert given["gate"]["rules"]["their-own"]["max_drop"] == 1


def test_adapters_on_top_of_each_other_are_one_parameter() -> None:
    both = ["s3://b/sft", "s3://b/dpo"]
    config = configuration.parse(EVALUATE | {"model": both, "baseline": [both[0], "s3://b/x"]})
    arguments = there(config)
    assert arguments["model"] == "s3://b/sft,s3://b/dpo"
    assert arguments["baseline_model"] == "s3://b/sft,s3://b/x"
    assert back(config, arguments) == config


@pytest.mark.parametrize("name", ["model", "baseline"])
def test_each_of_several_adapters_has_to_be_where_the_cluster_sees_it(name: str) -> None:
    config = configuration.parse(EVALUATE | {name: ["s3://b/sft", "runs/first/dpo"]})
    with pytest.raises(SettingsError, match=f"{name} = runs/first/dpo is a path of this machine"):
        there(config)


def test_an_encoder_that_the_cluster_cannot_see_is_refused() -> None:
    metrics = {"metrics": ["bertscore"], "task": {"encoder": "own/large/encoder"}}
    config = configuration.parse({**EVALUATE, "metrics": metrics})
    with pytest.raises(
        SettingsError, match=r"metrics\.task\.encoder = own/large/encoder is a path"
    ):
        there(config)
