"""A configuration whose models are behind endpoints: checked, planned, told by the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import config, plan, preflight, store, task
from assay.cli.main import main
from assay.dispatch import Place
from assay.dispatch import generate as dispatched
from assay.errors import InputError, SettingsError
from assay.placement import ClusterSettings
from assay.queues import TaskConfig
from assay.records import Generation
from tests.faults.endpoint import Answer, Body, chat, error, serving

GATE = {"rules": {"eval_loss": {"max_drop": 1}}, "min_pairs": 10}


def asked(folder: Path, model: Mapping[str, Any] | str, **more: Any) -> dict[str, Any]:
    """Return a configuration that evaluates `model` on twelve samples."""
    rows = [{"instruction": f"What is {n}?", "output": f"It is {n}."} for n in range(12)]
    (folder / "eval.json").write_text(json.dumps(rows))
    data = {"eval": str(folder / "eval.json")}
    metrics = {"metrics": ["exact-match", "empty"]}
    return {"mode": "auto", "dataset": data, "metrics": metrics, "model": model, **more}


def served(url: str, **changed: Any) -> dict[str, Any]:
    return {"endpoint": url, "name": "fake", **changed}


def right(body: Body) -> Answer:
    number = body["messages"][-1]["content"].removeprefix("What is ").rstrip("?")
    return chat(f"It is {number}.")


def wrong(body: Body) -> Answer:
    return error(413, "too long") if "is 3?" in str(body["messages"]) else chat("No.")


def test_two_endpoints_are_compared_from_a_yaml(tmp_path: Path) -> None:
    with serving(right) as one, serving(wrong) as other:
        values = asked(tmp_path, served(one.url), baseline=served(other.url))
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
        out = tmp_path / "out"
        assert main(["run", str(tmp_path / "run.yaml"), "--out", str(out)]) == 0
        first = len(one.requests), len(other.requests)
        assert main(["run", str(tmp_path / "run.yaml"), "--out", str(out)]) == 0
        assert (len(one.requests), len(other.requests)) == first == (18, 18)
    report = json.loads((out / "report.json").read_text())
    told = "\n".join(caution["text"] for caution in report["cautions"])
    assert f"candidate's answers come from fake at {one.url}: its weights are not proven" in told
    assert "baseline's endpoint gave no answer to 1 of 12 samples (1 context_overflow)" in told
    assert "eval_loss, accuracy and perplexity are unavailable for the baseline and the" in told
    rows = {row["name"]: row for row in report["summary"]}
    assert rows["eval_loss"]["candidate"]["value"] is None
    assert rows["eval_loss"]["candidate"]["unscored"] == {"no_weights": 12}
    assert rows["exact-match"]["baseline"]["unscored"] == {"prompt_too_long": 1}
    assert rows["empty"]["baseline"]["value"] == 0  # a failed row is no empty answer
    assert rows["exact-match"]["candidate"]["value"] == 100
    assert report["parity"] is None
    assert "none: Assay did not serve it" in (out / "report.md").read_text()
    assert yaml.safe_load((out / "config.yaml").read_text())["model"]["endpoint"] == one.url


@pytest.mark.parametrize("side", ["model", "baseline"])
def test_a_gate_on_the_loss_is_refused_before_anything_is_asked(side: str, tmp_path: Path) -> None:
    with serving(right) as endpoint:
        models = {"model": served(endpoint.url), "baseline": served(endpoint.url)}
        models[side] = served(endpoint.url)
        values = asked(tmp_path, **models, gate=GATE)
        with pytest.raises(InputError, match=r"eval_loss.*is an endpoint, which gives no") as told:
            preflight.prepare(config.parse(values), tmp_path / "run")
    assert "name the weights instead" in str(told.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(401, "bad key"), "model: fake at {url} gives no answer: auth"),
        (error(404, "model fake not found"), "serves no model 'fake'"),
        (Answer(body=b"<html>hello</html>"), "not a chat completion"),
        (Answer(drop=True), "server_error"),
        (error(429, "quota", code="insufficient_quota"), "rate_limited"),
    ],
)
def test_preflight_names_what_is_wrong_and_the_remedy(
    answer: Answer, message: str, tmp_path: Path
) -> None:
    with serving(lambda _: answer, models=("tuned-7b",)) as endpoint:
        values = asked(tmp_path, served(endpoint.url, retries=0))
        with pytest.raises(InputError) as told:
            preflight.prepare(config.parse(values), tmp_path / "run")
    assert message.format(url=endpoint.url) in str(told.value)
    assert "judge" not in str(told.value)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_one_sample_that_is_too_long_is_a_line_and_no_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(body: Body) -> Answer:
        return chat("4") if "France" in str(body["messages"]) else error(413, "too long")

    with serving(answer) as endpoint:
        values = asked(tmp_path, served(endpoint.url))
        preflight.prepare(config.parse(values), tmp_path / "run")
    assert "gets no answer: context_overflow" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("finish", "limit", "told"),
    [("length", 64, True), ("length", 20, False), ("stop", 64, False)],
)
def test_preflight_tells_of_an_answer_that_is_cut_at_a_lower_limit(
    finish: str, limit: int, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _: chat("4", finish)) as endpoint:  # 20 tokens, whatever it says
        values = asked(tmp_path, served(endpoint.url), generate={"max_new_tokens": limit})
        preflight.prepare(config.parse(values), tmp_path / "run")
    said = capsys.readouterr().out
    assert ("was cut at 20 tokens, before generate.max_new_tokens (64)" in said) == told


@pytest.mark.parametrize(("size", "told"), [(1_000, False), (20_000, True)])
def test_preflight_tells_of_a_prompt_that_is_cut_in_silence(
    size: int, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _: chat("4")) as endpoint:  # 100 tokens, whatever it is sent
        values = asked(tmp_path, served(endpoint.url))
        rows = [{"instruction": "word " * (size // 5), "output": "4"}]
        (tmp_path / "eval.json").write_text(json.dumps(rows))
        preflight.prepare(config.parse(values), tmp_path / "run")
    assert ("cuts prompts without saying so" in capsys.readouterr().out) == told


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"endpoint": "http://h/v1"}, "model.name is missing"),
        ({"endpoint": "http://h/v1", "name": "m", "nam": 1}, "model.nam is not a setting"),
        ({"endpoint": "http://h/v1", "name": "m", "api_key": "x"}, "looks like a secret"),
        ({"endpoint": "http://h/v1?key=abc", "name": "m"}, "model.endpoint holds"),
        ({"endpoint": "http://u:p@h/v1", "name": "m"}, "model.endpoint holds a user name"),
        ({"endpoint": "http://h/v1", "name": "m", "concurrency": 0}, "model.concurrency = 0"),
        ('{"endpoint": "http://h/v1"', "model is no JSON"),
        (3, "model = 3"),
        ([{"endpoint": "http://h/v1", "name": "m"}, "a"], "is no list of adapters"),
    ],
)
def test_a_model_that_is_none_is_refused_by_name(model: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        config.parse(asked(tmp_path, model))
    assert message in str(told.value)


ENDPOINT = served("http://h/v1")


@pytest.mark.parametrize(
    ("engine", "models", "message"),
    [
        ("auto", {"model": ENDPOINT}, ""),
        ("endpoint", {"model": ENDPOINT}, ""),
        ("endpoint", {"model": ENDPOINT, "baseline": ENDPOINT}, ""),
        ("endpoint", {"model": ENDPOINT, "baseline": "none"}, ""),
        ("vllm", {"model": ENDPOINT, "baseline": "org/base"}, ""),
        ("vllm", {"model": ENDPOINT}, "engine is vllm, and no model of this run has weights"),
        ("endpoint", {"model": ENDPOINT, "baseline": "org/base"}, "also has a model of weights"),
        ("endpoint", {"model": "org/tuned"}, "also has a model of weights"),
        ("endpoints", {"model": ENDPOINT}, "endpoint"),
    ],
)
def test_the_engine_of_a_model_behind_an_endpoint_is_endpoint(
    engine: str, models: dict[str, Any], message: str, tmp_path: Path
) -> None:
    values = {**asked(tmp_path, ENDPOINT), **models, "generate": {"engine": engine}}
    if not message:
        config.parse(values)
        return
    with pytest.raises(SettingsError, match=message):
        preflight.check_settings(config.parse(values))


def test_a_repetition_penalty_is_no_parameter_of_every_endpoint(tmp_path: Path) -> None:
    values = asked(tmp_path, served("http://h/v1"), generate={"repetition_penalty": 1.1})
    with pytest.raises(SettingsError, match=r"generate.repetition_penalty.*model.extra_body"):
        config.parse(values)


def test_a_task_asks_the_endpoint_from_where_it_runs_and_never_by_a_queue(tmp_path: Path) -> None:
    class Queue:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the queue was asked for {name}")

    with serving(right) as endpoint:
        wanted = plan.make(config.parse(asked(tmp_path, served(endpoint.url))))
        given = task.outputs(wanted)
        preflight.write_samples(wanted, tmp_path / "samples")

        class Artifact:
            def __init__(self, path: Path) -> None:
                self.path, self.uri = str(path), str(path)

        where = Place(
            settings=ClusterSettings(),
            task=TaskConfig(),
            queue=Queue(),
        )
        told = dispatched(
            {
                "side": "candidate",
                "model": given["model"],
                "settings": given["generate"],
                "base_model": "",
            },
            Artifact(tmp_path / "samples"),
            Artifact(tmp_path / "predictions"),
            where,
            lambda _: None,
        )
    assert told["endpoint"] == endpoint.url
    done = store.read_record(tmp_path / "predictions" / "generation.json", Generation)
    assert done.samples == 12
