"""The check before a run: one clear line with the remedy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.errors import JudgeError
from assay.judge import JudgeSettings, Price, check
from assay.records import Message, Sample
from tests.faults.endpoint import Answer, Handler, chat, error, scores, serving
from tests.loopback import free_address


def failure(handler: Handler, model: str = "fake", models: tuple[str, ...] = ("fake",)) -> str:
    with serving(handler, models) as endpoint:
        settings = JudgeSettings(endpoint=endpoint.url, model=model, api_key_env="", retries=0)
        with pytest.raises(JudgeError) as caught:
            check(settings)
    return str(caught.value)


def test_a_good_judge_is_named_and_asked_once(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda _: chat(scores())) as endpoint:
        check(JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env=""))
    assert len(endpoint.requests) == 1
    assert capsys.readouterr().out == f"asking fake at {endpoint.url} for a verdict\n"


def write_samples(path: Path, lengths: list[int]) -> Path:
    turns = (Message(role="user", content="Say x."),)
    samples = (
        Sample(id=f"s{number}", messages=turns, target="x" * length)
        for number, length in enumerate(lengths)
    )
    store.write_rows(path, samples)
    return path


def test_the_longest_sample_is_tried_and_the_whole_estimated(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "dataset.jsonl", [10, 5000, 20])
    with serving(lambda _: chat(scores())) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            prices={"fake": Price(input=1.0, output=2.0)},
        )
        estimate = check(settings, samples, sides=2)
    (body,) = endpoint.requests
    assert "x" * 5000 in body["messages"][1]["content"]
    assert estimate.requests == 6
    assert estimate.output_tokens == 6 * 20
    assert 2 * 100 < estimate.prompt_tokens < 2 * 3 * 100
    assert estimate.cost == pytest.approx(
        (estimate.prompt_tokens + 2 * estimate.output_tokens) / 1e6
    )


@pytest.mark.parametrize(
    ("changed", "requests"),
    [
        ({"repeats": 3}, 2 * 3 * 3),
        ({"one_call_each": True}, 2 * 3 * 5),
        ({"pairwise": True}, 2 * 3 + 2 * 3),
        ({"pairwise": True, "repeats": 3}, 2 * 3 * 3 + 2 * 3 * 3),
    ],
)
def test_every_call_is_estimated(changed: dict[str, Any], requests: int, tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "dataset.jsonl", [10, 20, 30])

    def handler(body: dict[str, Any]) -> Answer:
        form = body["response_format"]["json_schema"]["schema"]
        names = form["required"][1:]
        return chat(json.dumps({"commentary": "Good.", **dict.fromkeys(names, 7)}))

    with serving(handler) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False, flip_sample=0
        )
        estimate = check(replace(settings, **changed), samples, sides=2)
    assert estimate.requests == requests
    assert estimate.output_tokens == requests * 20


def test_a_sample_that_is_too_long_is_named(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "dataset.jsonl", [10, 5000, 20])
    message = "This model's maximum context length is 512 tokens"
    with (
        serving(lambda _: error(400, message)) as endpoint,
        pytest.raises(JudgeError, match=r"context_overflow.*sample s1"),
    ):
        check(JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env=""), samples)


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_JUDGE_API_KEY", raising=False)
    with pytest.raises(JudgeError, match="ASSAY_JUDGE_API_KEY is not set"):
        check(JudgeSettings(endpoint="http://127.0.0.1:1/v1", model="m"))


@pytest.mark.parametrize("status", [401, 403, 400, 500])
def test_a_refused_key_is_not_printed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k-secret")
    with (
        serving(lambda _: error(status, "Incorrect API key provided: k-secret")) as endpoint,
        pytest.raises(JudgeError) as caught,
    ):
        check(JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="MY_KEY", retries=0))
    assert status in (400, 500) or "MY_KEY" in caught.value.remedy
    assert "k-secret" not in str(caught.value)


def test_nobody_there() -> None:
    url = f"{free_address()}/v1"
    with pytest.raises(JudgeError, match="no connection"):
        check(JudgeSettings(endpoint=url, model="m", api_key_env="", retries=0))


def test_no_such_model() -> None:
    message = failure(
        lambda _: error(404, "The model `gpt-4-mini` does not exist"),
        model="gpt-4-mini",
        models=("gpt-4o-mini", "b"),
    )
    assert "serves no model 'gpt-4-mini'" in message
    assert "such as gpt-4o-mini" in message


def test_html() -> None:
    message = failure(lambda _: Answer(body=b"<!doctype html><title>Hi</title>"))
    assert "not a chat completion" in message
    assert "judge.endpoint" in message


def test_another_protocol() -> None:
    assert "not a chat completion" in failure(lambda _: Answer(body=b'{"generated_text": "4"}'))


def test_a_judge_that_cannot_judge() -> None:
    assert "parse_error" in failure(lambda _: chat("A fine answer."))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("judge.example/v1", "is no URL"),
        ("ftp://judge.example", "is no URL"),
        ("https://user:pw@judge.example/v1", "user name or password"),
        ("https://judge.example/v1/chat/completions", "whole path"),
    ],
)
def test_an_endpoint_that_is_none(url: str, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(JudgeError, match=fault) as caught:
        check(JudgeSettings(endpoint=url, model="m", api_key_env=""))
    assert "pw" not in str(caught.value)
    assert capsys.readouterr().out == ""
