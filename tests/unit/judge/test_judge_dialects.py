"""What endpoints refuse, in the words and forms in which they do: preflight and the judge find out
what is left to ask with, and every verdict comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assay.judge import check, judge, verdicts
from tests.faults.endpoint import DIMENSIONS, Answer, Body, FakeEndpoint, chat, scores, serving
from tests.unit.judge import fake

settings_for = partial(fake.settings_for, retries=1)

Make = Callable[[int], tuple[Path, Path]]
Refuses = Callable[[Body], bool]


def said(status: int, body: object, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, body=content, headers=headers)


def schema_of(body: Body) -> dict[str, Any]:
    form = body.get("response_format", {}).get("json_schema", {})
    return dict(form.get("schema", {}).get("properties", {}))


def has(name: str) -> Refuses:
    return lambda body: name in body


def form(*kinds: str) -> Refuses:
    return lambda body: body.get("response_format", {}).get("type") in kinds


def keyword(*names: str) -> Refuses:
    return lambda body: any(name in each for each in schema_of(body).values() for name in names)


def numbers_listed(body: Body) -> bool:
    return any(isinstance(each.get("enum", [""])[0], int) for each in schema_of(body).values())


def has_system(body: Body) -> bool:
    return any(turn["role"] == "system" for turn in body["messages"])


def thinks(body: Body) -> bool:
    return bool(body.get("enable_thinking", True))


def unstreamed(body: Body) -> bool:
    return not body.get("stream")


EXTRA = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted", "input": 0}
TEMPERATURE = {
    "pydantic in message.detail": said(
        422,
        {
            "object": "error",
            "message": {"detail": [{**EXTRA, "loc": ["body", "temperature"]}]},
            "param": None,
            "code": None,
        },
    ),
    "pydantic in detail": said(422, {"detail": [{**EXTRA, "loc": ["body", "temperature"]}]}),
    "pydantic in detail, 400": said(400, {"detail": [{**EXTRA, "loc": ["temperature"]}]}),
    "pydantic in errors": said(422, {"errors": [{**EXTRA, "loc": ["body", "temperature"]}]}),
    "pydantic in error": said(422, {"error": {"detail": [{**EXTRA, "loc": ["temperature"]}]}}),
    "unsupported value": said(
        400,
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0.0 with this model. "
                "Only the default (1) value is supported.",
                "type": "invalid_request_error",
                "param": "temperature",
                "code": "unsupported_value",
            }
        },
    ),
    "param alone": said(400, {"error": {"message": "x", "param": "temperature"}}),
    "param is a path": said(400, {"error": {"message": "x", "param": "body.temperature"}}),
    "param is a pointer": said(400, {"error": {"message": "x", "param": "/temperature"}}),
    "param is a list": said(400, {"error": {"message": "x", "param": ["body", "temperature"]}}),
    "only 1 is allowed": said(
        400,
        {
            "error": {
                "message": "invalid temperature: only 1 is allowed for this model",
                "type": "invalid_request_error",
            }
        },
    ),
    "deprecated": said(
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "`temperature` is deprecated for this model.",
            },
        },
    ),
    "detail is text": said(400, {"detail": "Unsupported parameter: temperature"}),
    "error is text": said(400, {"error": "unknown field: temperature"}),
    "msg": said(400, {"code": 20015, "msg": "temperature is not supported by the model"}),
    "plain text": said(400, b"Argument not supported on this model: temperature"),
    "html": said(
        400,
        b"<html><head><title>Bad Request</title></head><body><p>Unknown parameter "
        b"<code>temperature</code></p></body></html>",
    ),
    "a list": said(400, [{"error": {"code": 400, "message": 'Unknown name "temperature"'}}]),
    "json in text": said(
        400,
        {
            "error": {
                "message": json.dumps({"error": {"message": "temperature: must be greater than 0"}})
            }
        },
    ),
    "json of the provider": said(
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"detail":"temperature is not supported"}'},
            }
        },
    ),
    "keyword argument": said(
        500, {"detail": "generate() got an unexpected keyword argument 'temperature'"}
    ),
    "501": said(501, {"error": {"message": "temperature is not implemented"}}),
    "404": said(404, {"error": "this route does not support temperature"}),
    "405": said(405, {"message": "parameter temperature not allowed"}),
    "415": said(415, {"message": "unsupported field temperature"}),
    "chinese": said(400, {"error": {"code": "1210", "message": "参数 temperature 有误，不支持"}}),
    "within 200": said(
        200, {"error": {"message": "Unsupported parameter: temperature", "code": 400}}
    ),
    "within 200 beside choices": said(
        200,
        {"id": None, "choices": None, "error": {"message": "bad temperature", "code": "400"}}
        | {"error": {"message": "invalid temperature", "code": 400}},
    ),
}
LIMIT = {
    "openai": said(
        400,
        {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            }
        },
    ),
    "pydantic": said(422, {"detail": [{**EXTRA, "loc": ["body", "max_tokens"]}]}),
    "text": said(400, {"error": "max_tokens is deprecated"}),
}
NO_LIMIT = {
    "pydantic": said(422, {"detail": [{**EXTRA, "loc": ["body", "max_completion_tokens"]}]}),
    "text": said(400, {"error": "max_tokens and max_completion_tokens are not supported"}),
}
FORM = {
    "detail is text": said(400, {"detail": "Unsupported parameter response_format"}),
    "error is text": said(400, {"error": "Unsupported parameter response_format"}),
    "wrong_api_format": said(
        400,
        {
            "message": "type: Input should be 'text'",
            "param": "validation_error",
            "code": "wrong_api_format",
        },
    ),
    "pydantic": said(
        422,
        {
            "object": "error",
            "message": {"detail": [{**EXTRA, "loc": ["body", "response_format"]}]},
            "param": None,
            "code": None,
        },
    ),
    "pydantic, deeper": said(
        422,
        {"detail": [{"type": "literal_error", "loc": ["body", "response_format", "type"]}]},
    ),
    "param is a list": said(400, {"error": {"message": "x", "param": ["body", "response_format"]}}),
    "param is a pointer": said(400, {"error": {"message": "x", "param": "#/response_format/type"}}),
    "unrecognized": said(
        400, {"error": {"message": "Unrecognized request argument supplied: response_format"}}
    ),
    "json mode": said(
        400, {"code": 20024, "message": "Json mode is not supported for this model.", "data": None}
    ),
    "plain": said(400, b"response_format is not supported"),
    "grammar": said(400, {"error": {"code": 400, "message": "Failed to parse grammar"}}),
    "structured outputs": said(
        400, {"error": {"message": "This model does not support structured outputs"}}
    ),
    "guided decoding": said(500, {"message": "guided decoding is not supported by this engine"}),
    "404 of a router": said(
        404, {"error": {"message": "No endpoints found that support response_format", "code": 404}}
    ),
    "405": said(405, {"error": "response_format not allowed"}),
    "chinese": said(400, {"error": {"code": "1210", "message": "不支持 response_format 参数"}}),
    "within 200": said(200, {"error": {"message": "response_format not supported", "code": 400}}),
}
SCHEMA_TYPE = {
    "deepseek": said(
        400,
        {
            "error": {
                "message": "This response_format type is unavailable now",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_request_error",
            }
        },
    ),
    "openai": said(
        400,
        {
            "error": {
                "message": "Invalid parameter: 'response_format' of type 'json_schema' is not "
                "supported with this model.",
                "param": "response_format",
            }
        },
    ),
    "pydantic": said(
        400,
        {
            "object": "error",
            "message": [
                {
                    "type": "literal_error",
                    "loc": ["body", "response_format", "type"],
                    "msg": "Input should be 'text' or 'json_object'",
                }
            ],
        },
    ),
    "'must be one of'": said(
        400, {"error": {"message": "'response_format.type' must be 'json_object' or 'text'."}}
    ),
}
MAX_LENGTH = {
    "openai": said(
        400,
        {
            "error": {
                "message": "Invalid schema for response_format 'verdict': In context=('properties',"
                " 'commentary'), 'maxLength' is not permitted.",
                "param": "response_format",
            }
        },
    ),
    "anthropic": said(
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "output_config.format.schema: For 'string' type, property 'maxLength' "
                "is not supported",
            },
        },
    ),
    "unknown name": said(
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "maxLength" at '
                    "'generation_config.response_schema.properties[0].value': Cannot find field.",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    "xgrammar": said(
        400,
        {
            "object": "error",
            "message": "The provided JSON schema contains features not supported by xgrammar.",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    "422": said(422, {"message": "schema keyword maxLength is not allowed"}),
}
NUMBERS = {
    "gemini": said(
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "Invalid value at 'generation_config.response_schema.properties[1]"
                    ".value.enum[0]' (TYPE_STRING), 1",
                }
            }
        ],
    ),
    "gemini, no list": said(
        400,
        {
            "error": {
                "code": 400,
                "message": "* GenerateContentRequest.generation_config.response_schema.properties["
                "quality].enum: only allowed for STRING type\n",
                "status": "INVALID_ARGUMENT",
            }
        },
    ),
    "pydantic": said(
        422,
        {
            "detail": [
                {
                    "loc": ["body", "response_format", "json_schema", "schema"],
                    "msg": "enum of integers is not supported",
                    "type": "value_error",
                }
            ]
        },
    ),
}
SYSTEM = {
    "mistral style": said(
        400, {"object": "error", "message": "System role not supported", "param": None, "code": 400}
    ),
    "openai": said(
        400,
        {
            "error": {
                "message": "Unsupported value: 'messages[0].role' does not support 'system' with "
                "this model.",
                "param": "messages[0].role",
                "code": "unsupported_value",
            }
        },
    ),
    "gemma": said(
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "Developer instruction is not enabled for models/gemma-3-27b-it",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    "a template": said(
        400,
        {"message": "Conversation roles must alternate user/assistant/user/assistant/..."},
    ),
    "a template, 500": said(
        500, {"error": {"message": "Jinja Exception: System role not supported"}}
    ),
    "llama 2": said(400, {"error": "Only user and assistant roles are supported!"}),
    "pydantic": said(
        422,
        {
            "detail": [
                {
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant', not 'system'",
                    "type": "literal_error",
                }
            ]
        },
    ),
}
STREAMED = {
    "qwq": said(
        400,
        {
            "error": {
                "message": "This model only support stream mode, please enable the stream parameter"
                " to access the model. ",
                "type": "invalid_request_error",
            }
        },
    ),
    "text": said(400, {"detail": "Stream must be set to true"}),
}
THINKING = {
    "qwen3": said(
        400,
        {
            "error": {
                "code": "invalid_parameter_error",
                "message": "parameter.enable_thinking must be set to false for non-streaming calls",
            }
        },
    )
}

LADDERS: dict[str, tuple[Answer, Refuses, dict[str, Any]]] = {
    f"{what}: {name}": (answer, refuses, left)
    for what, answers, refuses, left in (
        ("temperature", TEMPERATURE, has("temperature"), {"temperature": False}),
        ("max_tokens", LIMIT, has("max_tokens"), {"limit": "max_completion_tokens"}),
        (
            "no limit",
            NO_LIMIT,
            lambda body: "max_tokens" in body or "max_completion_tokens" in body,
            {"limit": ""},
        ),
        ("form", FORM, has("response_format"), {"form": "prompt"}),
        ("schema type", SCHEMA_TYPE, form("json_schema"), {"form": "json_object"}),
        ("maxLength", MAX_LENGTH, keyword("maxLength"), {"form": "json_schema-maxLength"}),
        ("numbers", NUMBERS, numbers_listed, {"form": "json_schema-types"}),
        ("system", SYSTEM, has_system, {"system": False}),
        ("stream", STREAMED, unstreamed, {"stream": True}),
        ("thinking", THINKING, thinks, {"thinking": False}),
    )
    for name, answer in answers.items()
}
# a gateway names the parameter in two ways, one after the other
LADDERS["no limit: pydantic"] = (
    said(422, {"detail": [{**EXTRA, "loc": ["body", "max_tokens"]}]}),
    lambda body: "max_tokens" in body or "max_completion_tokens" in body,
    {"limit": ""},
)


def asked(endpoint: FakeEndpoint, folder: Path, files: Make, count: int = 6, **changed: Any) -> Any:
    """Go from preflight to all verdicts, and return judge.json."""
    settings = settings_for(endpoint.url, **changed)
    samples, predictions = files(count)
    check(settings, samples)
    judge(samples, predictions, folder / "verdicts.jsonl", settings)
    rows = verdicts(folder / "verdicts.jsonl").values()
    assert [row.unscored for row in rows] == [{}] * count
    return json.loads((folder / "judge.json").read_text())


@pytest.mark.parametrize(("answer", "refuses", "left"), LADDERS.values(), ids=LADDERS)
def test_what_an_endpoint_refuses_is_left_out(
    answer: Answer, refuses: Refuses, left: dict[str, Any], files: Make, tmp_path: Path
) -> None:
    refused = []

    def handler(body: Body) -> Answer:
        refused.append(refuses(body))
        return answer if refused[-1] else chat(scores())

    with serving(handler) as endpoint:
        summary = asked(endpoint, tmp_path, files)
    usual = {"json_schema": True, "temperature": True, "limit": "max_tokens"}
    schema = str(left.get("form", "json_schema")).startswith("json_schema")
    assert summary["asked_with"] == usual | {"json_schema": schema} | left
    assert refused == [True] * sum(refused) + [False] * 7  # one for preflight, one a prediction
    assert sum(refused) <= 4


def test_all_of_it_at_once(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        for refuses, answers in (
            (has("response_format"), FORM["pydantic"]),
            (has("temperature"), TEMPERATURE["detail is text"]),
            (has_system, SYSTEM["mistral style"]),
            (has("max_tokens"), LIMIT["text"]),
            (has("max_completion_tokens"), NO_LIMIT["pydantic"]),
        ):
            if refuses(body):
                return answers
        return chat(scores())

    with serving(handler) as endpoint:
        summary = asked(endpoint, tmp_path, files)
    assert set(endpoint.requests[-1]) == {"model", "messages"}
    assert [turn["role"] for turn in endpoint.requests[-1]["messages"]] == ["user"]
    assert "You grade the answer" in endpoint.requests[-1]["messages"][0]["content"]
    assert len(endpoint.requests) == 5 + 7
    assert summary["asked_with"]["form"] == "prompt"


def test_a_few_requests_are_refused_however_many_are_in_flight(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.judge.endpoint.ALONE_S", 10.0)  # the machine may be busy

    def handler(body: Body) -> Answer:
        if "temperature" in body or "response_format" in body:
            return (
                replace(TEMPERATURE["param alone"], delay=0.02)
                if "temperature" in body
                else (FORM["plain"])
            )
        return chat(scores(), delay=0.5)

    samples, predictions = files(200)
    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, concurrency=64)
        judge(samples, predictions, tmp_path / "v.jsonl", settings)
        refused = len(endpoint.requests) - 200
        endpoint.requests.clear()
        judge(samples, predictions, tmp_path / "w.jsonl", settings)
    assert refused <= 4
    assert len(endpoint.requests) == 200  # the next run asks right at once
    assert all(not row.unscored for row in verdicts(tmp_path / "w.jsonl").values())


QUOTING = {
    "sensitive words": said(
        400,
        {
            "error": {
                "message": "input contains sensitive words: [temperature]",
                "code": "sensitive_words_detected",
            }
        },
    ),
    "quoted in a moderation": said(
        400, {"error": {"message": "Flagged by moderation: 'response_format is not supported'"}}
    ),
    "quoted": said(
        400,
        {"error": {"message": 'Cannot answer "is the temperature not supported in max_tokens?"'}},
    ),
    "in prose": said(400, {"error": {"message": "We do not like the temperature of this text"}}),
    "the policy": said(
        400, {"error": {"message": "violates the usage policy: invalid temperature", "code": 1301}}
    ),
    "chinese": said(400, {"error": {"message": "输入包含敏感词: 不支持 temperature"}}),
    "param is messages": said(
        400, {"error": {"message": "string too long: temperature", "param": "messages[1].content"}}
    ),
    "too large": said(
        400,
        {
            "error": {
                "message": "max_tokens is too large: 512. This model supports at most 256",
                "param": "max_tokens",
            }
        },
    ),
    "forbidden": said(403, {"error": {"message": "temperature too high in your region"}}),
}


@pytest.mark.parametrize("answer", QUOTING.values(), ids=QUOTING)
def test_an_error_that_quotes_a_word_changes_nothing(
    answer: Answer, files: Make, tmp_path: Path
) -> None:
    def handler(body: Body) -> Answer:
        return answer if "What is s2?" in body["messages"][1]["content"] else chat(scores())

    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, concurrency=1, retries=0)
        judge(*files(6), tmp_path / "verdicts.jsonl", settings)
    rows = verdicts(tmp_path / "verdicts.jsonl")
    assert [name for name, row in rows.items() if row.unscored] == ["s2"]
    assert len(endpoint.requests) <= 7
    assert all(
        {"temperature", "max_tokens", "response_format"} <= set(body)
        for body in endpoint.requests
        if "What is s2?" not in body["messages"][1]["content"]
    )
    assert json.loads((tmp_path / "judge.json").read_text())["asked_with"]["temperature"] is True
    assert not any(" " in row.key for row in rows.values())


def test_a_rung_is_left_only_where_the_endpoint_then_takes_the_request(
    files: Make, tmp_path: Path
) -> None:
    def handler(body: Body) -> Answer:
        if "What is s0?" in body["messages"][1]["content"]:
            return TEMPERATURE["detail is text"]  # whatever is sent
        return chat(scores())

    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, concurrency=1, retries=0)
        judge(*files(4), tmp_path / "verdicts.jsonl", settings)
    rows = verdicts(tmp_path / "verdicts.jsonl")
    assert set(rows["s0"].unscored.values()) == {"rejected"}
    assert all("temperature" in body for body in endpoint.requests[2:])


def test_what_was_dropped_is_part_of_the_key(files: Make, tmp_path: Path) -> None:
    picky = lambda body: TEMPERATURE["param alone"] if "temperature" in body else chat(scores())  # noqa: E731
    samples, predictions = files(3)
    for name, handler in (("all", lambda _: chat(scores())), ("less", picky)):
        with serving(handler) as endpoint:
            settings = settings_for(endpoint.url)
            judge(samples, predictions, tmp_path / name / "v.jsonl", settings)
    full = {row.id: row.key for row in verdicts(tmp_path / "all" / "v.jsonl").values()}
    less = {row.id: row.key for row in verdicts(tmp_path / "less" / "v.jsonl").values()}
    assert less == {name: f"{key} -temperature" for name, key in full.items()}
    assert all(len(key) == 32 for key in full.values())


def test_on_a_machine_that_knows_nothing_what_was_paid_for_stays(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = lambda body: TEMPERATURE["param alone"] if "temperature" in body else chat(scores())  # noqa: E731
    samples, predictions = files(3)
    with serving(picky) as endpoint:
        settings = settings_for(endpoint.url)
        judge(samples, predictions, tmp_path / "v.jsonl", settings)
        monkeypatch.setattr("assay.judge.learned.cache_folder", lambda: tmp_path / "elsewhere")
        endpoint.requests.clear()
        judge(samples, predictions, tmp_path / "v.jsonl", settings)
    assert endpoint.requests == []


def test_after_a_week_an_endpoint_is_tried_anew(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = lambda body: TEMPERATURE["param alone"] if "temperature" in body else chat(scores())  # noqa: E731
    samples, predictions = files(1)
    with serving(picky) as endpoint:
        settings = settings_for(endpoint.url)
        judge(samples, predictions, tmp_path / "v.jsonl", settings)
        monkeypatch.setattr("assay.judge.learned.WEEK_S", -1.0)
        judge(samples, predictions, tmp_path / "w.jsonl", settings)
    assert ["temperature" in body for body in endpoint.requests] == [True, False] * 2


def test_where_nothing_can_be_kept_the_judge_goes_on(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("assay.judge.learned.cache_folder", lambda: tmp_path / "file" / "below")
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(2), tmp_path / "v.jsonl", settings_for(endpoint.url))
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())


def test_the_turn_of_an_empty_reply_is_left_out_of_a_repair(files: Make, tmp_path: Path) -> None:
    replies = iter(["", scores()])
    with serving(lambda _: chat(next(replies))) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    turns = endpoint.requests[1]["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user"]
    assert "exactly one JSON object" in turns[1]["content"].rpartition("\n\n")[2]
    assert verdicts(tmp_path / "v.jsonl")["s0"].values == dict.fromkeys(DIMENSIONS, 7)
