"""Endpoints that are strict in their own way, as Azure OpenAI and Anthropic are, answer for a model
under test: what they refuse is left out, and where and by what key they are asked is theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay.generate import GenerateSettings
from assay.records import Message, Sample
from assay.served import ServedModel, check
from tests.faults.endpoint import Answer, Body, FakeEndpoint, error, serving
from tests.unit.served.conftest import answered

TOOL = {"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}}
CALL = {"name": "add", "arguments": {"a": 1, "b": 2}}


def rows() -> list[Sample]:
    """Return a sample of each kind: with a system turn, of several turns, and with tools."""
    turns = {
        "plain": [("user", "What is 1+2?")],
        "system": [("system", "Be brief."), ("user", "What is 1+2?")],
        "turns": [("user", "Hi."), ("assistant", "Hello."), ("user", "What is 1+2?")],
        "tools": [
            ("user", "What is 1+2?"),
            ("function_call", json.dumps(CALL)),
            ("observation", "3"),
        ],
    }
    return [
        Sample(
            id=name,
            messages=tuple(Message(role=role, content=text) for role, text in listed),  # type: ignore[arg-type]
            target="3",
            tools=json.dumps([TOOL]) if name == "tools" else "",
        )
        for name, listed in turns.items()
    ]


def completion(text: str, model: str, **more: Any) -> Answer:
    """Return a chat completion as these endpoints write it."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": [],
    }
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message, **more}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    body = {"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}
    return Answer(body=json.dumps(body).encode())


def unsupported(name: str, instead: str) -> Answer:
    return error(
        400,
        f"Unsupported parameter: '{name}' is not supported with this model. Use '{instead}' "
        "instead.",
        type="invalid_request_error",
        param=name,
        code="unsupported_parameter",
    )


FILTERS = {"hate": {"filtered": False, "severity": "safe"}}
AZURE_FILTERED = error(
    400,
    "The response was filtered due to the prompt triggering Azure OpenAI's content management "
    "policy. Please modify your prompt and retry.",
    type=None,
    param="prompt",
    code="content_filter",
    innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTERS},
)


def azure(body: Body) -> Answer:
    """Answer as a deployment of Azure OpenAI does that wants `max_completion_tokens`."""
    if "max_tokens" in body:
        return unsupported("max_tokens", "max_completion_tokens")
    if "forbidden" in str(body["messages"]):
        return AZURE_FILTERED
    return completion("3", "gpt-4o-2024-08-06", content_filter_results=FILTERS)


def azure_reasoning(body: Body) -> Answer:
    """Answer as one of a reasoning model, which takes no temperature either."""
    if body.get("temperature", 1) != 1:
        return error(
            400,
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this "
            "model. Only the default (1) value is supported.",
            type="invalid_request_error",
            param="temperature",
            code="unsupported_value",
        )
    return unsupported("top_p", "temperature") if "top_p" in body else azure(body)


def anthropic(body: Body) -> Answer:
    """Answer as Anthropic's OpenAI layer does: a temperature up to 1, and no top_p beside it."""
    told = ""
    if body.get("temperature", 0) > 1:
        told = "temperature: Input should be less than or equal to 1"
    elif "top_p" in body and "temperature" in body:
        told = (
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one."
        )
    elif any(not turn["content"] and "tool_calls" not in turn for turn in body["messages"]):
        told = "messages: text content blocks must be non-empty"
    if told:
        body_ = {"type": "error", "error": {"type": "invalid_request_error", "message": told}}
        return Answer(status=400, body=json.dumps(body_).encode())
    return completion("3", "claude-sonnet-4-5-20250929")


KEY = "a-key-of-a-test-0123456789"
AZURE: Mapping[str, Any] = {
    "name": "my-deployment",
    "headers": {"api-key": "AZURE_OPENAI_API_KEY"},
    "query": {"api-version": "2024-10-21"},
}
ANTHROPIC: Mapping[str, Any] = {"name": "claude-sonnet-4-5", "api_key_env": "ANTHROPIC_API_KEY"}
GREEDY: Mapping[str, Any] = {}
DRAWN: Mapping[str, Any] = {"do_sample": True, "temperature": 0.9, "top_p": 0.7}
HOT: Mapping[str, Any] = {"do_sample": True, "temperature": 1.3, "top_p": 0.7}


def of_azure(endpoint: FakeEndpoint) -> ServedModel:
    base = endpoint.url.removesuffix("/v1")
    return ServedModel(endpoint=f"{base}/openai/deployments/my-deployment", **AZURE)


def of_anthropic(endpoint: FakeEndpoint) -> ServedModel:
    return ServedModel(endpoint=endpoint.url, **ANTHROPIC)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.mark.parametrize(
    ("handler", "decoding", "dropped", "sent"),
    [
        (azure, GREEDY, (), {"temperature": 0.0, "seed": 42, "max_completion_tokens": 512}),
        (azure, DRAWN, (), {"temperature": 0.9, "top_p": 0.7, "seed": 42}),
        (azure_reasoning, GREEDY, ("temperature",), {"seed": 42, "max_completion_tokens": 512}),
        (azure_reasoning, DRAWN, ("temperature", "top_p"), {"seed": 42}),
    ],
)
def test_azure(
    handler: Any,
    decoding: Mapping[str, Any],
    dropped: tuple[str, ...],
    sent: dict[str, Any],
    tmp_path: Path,
) -> None:
    with serving(handler) as endpoint:
        model = of_azure(endpoint)
        check(model, GenerateSettings(**decoding), "model")
        done, found = answered(model, rows(), tmp_path, **decoding)
        last = endpoint.requests[-1]
        assert set(endpoint.paths) == {
            "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
        }
        assert {headers["api-key"] for headers in endpoint.headers} == {KEY}
        assert not any("authorization" in headers for headers in endpoint.headers)
    assert {(row.output, row.unanswered) for row in found.values()} == {("3", "")}
    assert done.served
    assert done.served.dropped == dropped
    assert done.served.models == {"gpt-4o-2024-08-06": 4}
    assert sent.items() <= last.items()
    assert not {"max_tokens", *dropped} & set(last)


def test_a_prompt_that_azure_filters_is_a_failed_row(tmp_path: Path) -> None:
    bad = Sample(id="bad", messages=(Message(role="user", content="It is forbidden."),), target="3")
    with serving(azure) as endpoint:
        done, found = answered(of_azure(endpoint), [*rows(), bad], tmp_path)
    assert found["bad"].unanswered == "answer_filtered"
    assert done.served
    assert done.served.failed == {"content_filter": 1}


@pytest.mark.parametrize(
    ("decoding", "dropped", "sent"),
    [
        (GREEDY, (), {"temperature": 0.0, "max_tokens": 512}),
        (DRAWN, ("top_p",), {"temperature": 0.9}),
        (HOT, ("temperature",), {"top_p": 0.7}),
    ],
)
def test_anthropic(
    decoding: Mapping[str, Any],
    dropped: tuple[str, ...],
    sent: dict[str, Any],
    tmp_path: Path,
) -> None:
    with serving(anthropic) as endpoint:
        model = of_anthropic(endpoint)
        check(model, GenerateSettings(**decoding), "model")
        done, found = answered(model, rows(), tmp_path, **decoding)
        last = endpoint.requests[-1]
        assert set(endpoint.paths) == {"/v1/chat/completions"}
        assert {headers["authorization"] for headers in endpoint.headers} == {f"Bearer {KEY}"}
    assert {(row.output, row.unanswered) for row in found.values()} == {("3", "")}
    assert done.served
    assert done.served.dropped == dropped
    assert sent.items() <= last.items()
    assert not set(dropped) & set(last)
