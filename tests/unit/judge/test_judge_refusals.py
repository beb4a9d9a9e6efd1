"""What an endpoint that gives no verdict says reaches the user, whole and in one line, with the
right cause and what to do; what it says of its models is a hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.errors import JudgeError
from assay.judge import check, judge, verdicts
from assay.judge.causes import cause_of
from assay.judge.dialect import Dialect
from assay.judge.refusal import read, within
from tests.faults.endpoint import Answer, chat, error, scores, serving
from tests.unit.judge import fake

settings_for = partial(fake.settings_for, retries=0)

Make = Callable[[int], tuple[Path, Path]]
KEY = "sk-s3cr3t-0123456789"


def said(status: int, body: object, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, body=content, headers=headers)


WORDS = "This is what it says"
FORMS = {
    "openai": {"error": {"message": WORDS, "type": "t", "param": None, "code": None}},
    "error is text": {"error": WORDS},
    "detail is text": {"detail": WORDS},
    "pydantic": {"detail": [{"loc": ["body", "x"], "msg": WORDS, "type": "value_error"}]},
    "msg": {"code": 20012, "msg": WORDS, "data": None},
    "message": {"message": WORDS},
    "Message": {"Message": WORDS},
    "message is an object": {"object": "error", "message": {"detail": [{"msg": WORDS}]}},
    "message is a list": {"message": [{"msg": WORDS, "loc": ["x"]}]},
    "errors": {"errors": [{"code": 7003, "message": WORDS}], "success": False, "result": None},
    "errors of text": {"errors": [WORDS]},
    "errors by name": {"title": "One or more errors", "errors": {"message": [WORDS]}},
    "a list": [{"error": {"code": 400, "message": WORDS, "status": "INVALID_ARGUMENT"}}],
    "a list of text": [WORDS],
    "text as json": WORDS,
    "error_msg": {"error_code": 336003, "error_msg": WORDS},
    "error_description": {"error": "invalid", "error_description": WORDS},
    "base_resp": {"base_resp": {"status_code": 2013, "status_msg": WORDS}},
    "fault": {"fault": {"faultstring": WORDS, "detail": {"errorcode": "x"}}},
    "a provider's": {
        "error": {"message": "failed", "metadata": {"raw": json.dumps({"error": WORDS})}}
    },
    "json in text": {"error": {"message": json.dumps({"error": {"message": WORDS}})}},
    "other names": {"wrong": WORDS},
    "plain": WORDS.encode(),
    "html": f"<!DOCTYPE html><html><head><title>400 Bad</title><style>a{{}}</style></head><body>"
    f"<script>x()</script><h1>{WORDS}</h1></body></html>".encode(),
    "a title": f"<html><head><title>{WORDS}</title></head></html>".encode(),
    "cut json": f'{{"error": {{"message": "{WORDS}'.encode(),
    "latin 1": WORDS.encode() + b" \xe9",
    "utf-8 with a mark": b"\xef\xbb\xbf" + json.dumps({"error": WORDS}).encode(),
}


@pytest.mark.parametrize("status", [400, 404, 405, 415, 422, 501, 500, 401, 403])
@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_the_words_of_every_error_are_read(body: object, status: int) -> None:
    answer = said(status, body)
    refusal = read(status, answer.body, {})
    assert WORDS in refusal.told
    assert refusal.told.startswith(f"HTTP {status}: ")
    assert "<h1>" not in refusal.told
    assert "x()" not in refusal.told


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_they_reach_the_user(body: object, files: Make, tmp_path: Path) -> None:
    with serving(lambda _: said(422, body)) as endpoint:
        with pytest.raises(JudgeError, match=WORDS) as refused:
            check(settings_for(endpoint.url))
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    assert refused.value.remedy
    assert WORDS in verdicts(tmp_path / "v.jsonl")["s0"].commentary
    assert len(endpoint.requests) == 2


def test_an_error_without_a_body_is_told_by_its_headers_or_its_status() -> None:
    assert read(422, b"", {"x-error-message": WORDS}).text == WORDS
    assert read(422, b"", {}).text.startswith("Unprocessable")
    assert (
        "https://other.example/login"
        in read(302, b"", {"location": "https://other.example/login"}).text
    )


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_secret_is_taken_out_before_anything_is_cut(
    status: int, escaped: bool, files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_HEADER", "v4lue-0f-the-header")
    text = f"{'x' * 285} {KEY} v4lue-0f-the-header sk-0ther-0123456789abcdef"
    body = json.dumps({"error": {"message": text, "code": 400}})
    if escaped:
        body = body.replace("sk-s", "\\u0073k-s").replace("v4", "\\u0076\\u0034")
    answer = said(status, body.encode())
    changed = {"api_key_env": "MY_KEY", "headers": {"x-sub": "MY_HEADER"}}
    with serving(lambda _: answer) as endpoint:
        with pytest.raises(JudgeError) as refused:
            check(settings_for(endpoint.url, **changed))
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url, **changed))
    for shown in (str(refused.value), (tmp_path / "v.jsonl").read_text()):
        assert "x" * 250 in shown
        assert not any(part in shown for part in ("sk-s", "s3cr", "v4lu", "sk-0"))


LINES = {
    "no key": (error(401, "No cookie auth credentials found"), "auth", "environment variable"),
    "a wrong key": (error(401, "Incorrect API key"), "auth", "environment variable"),
    "google's": (
        said(400, [{"error": {"message": "API key not valid. Please pass a valid API key."}}]),
        "auth",
        "environment variable",
    ),
    "forbidden": (error(403, "Missing scopes: model.request"), "auth", "environment variable"),
    "a moderation by 403": (
        said(403, {"error": {"message": "Your input was flagged", "metadata": {"reasons": ["x"]}}}),
        "content_filter",
        "sample",
    ),
    "no balance": (error(402, "Insufficient Balance"), "rate_limited", "account"),
    "no balance, 429": (
        error(429, "You exceeded your current quota", code="insufficient_quota"),
        "rate_limited",
        "account",
    ),
    "no balance, chinese": (
        error(429, "余额不足或无可用资源包,请充值。"),
        "rate_limited",
        "account",
    ),
    "in arrears": (
        error(400, "Access denied, your account is in good standing? Arrearage", code="Arrearage"),
        "rate_limited",
        "account",
    ),
    "a filter": (
        error(400, "The response was filtered", code="content_filter"),
        "content_filter",
        "sample",
    ),
    "data inspection": (
        error(400, "Input data may contain inappropriate content.", code="data_inspection_failed"),
        "content_filter",
        "sample",
    ),
    "sensitive": (
        error(400, "系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"),
        "content_filter",
        "sample",
    ),
    "too long": (
        error(400, "prompt is too long: 210000 tokens > 200000 maximum"),
        "context_overflow",
        "context",
    ),
    "too long, dashscope": (
        error(400, "Range of input length should be [1, 30720]"),
        "context_overflow",
        "context",
    ),
    "too long, 413": (
        said(413, b"<html><title>413 Request Entity Too Large</title>"),
        "context_overflow",
        "context",
    ),
    "too many": (
        error(400, "max_tokens is too large: 512", param="max_tokens"),
        "rejected",
        "Lower judge.max_tokens",
    ),
    "no model": (
        error(404, "The model `fake` does not exist", code="model_not_found"),
        "not_found",
        "judge.model",
    ),
    "no model, 400": (error(400, "Model Not Exist"), "not_found", "judge.model"),
    "no model, ollama": (
        said(404, {"error": "model 'fake' not found, try pulling it first"}),
        "not_found",
        "judge.model",
    ),
    "no path": (said(404, {"detail": "Not Found"}), "not_found", "base URL"),
    "no path, html": (said(404, b"<html><title>404</title>nginx"), "not_found", "base URL"),
    "no api version": (
        error(404, "Missing required query parameter: api-version"),
        "not_found",
        "judge.query",
    ),
    "a sign-in page": (said(200, b"<html><title>Sign in</title>"), "server_error", "base URL"),
    "a wrong method": (said(405, {"detail": "Method Not Allowed"}), "rejected", "base URL"),
    "thoughts alone": (chat("", reasoning_content="Hm"), "empty", "judge.max_tokens"),
}


@pytest.mark.parametrize(("answer", "cause", "advice"), LINES.values(), ids=LINES)
def test_one_line_says_the_cause_and_what_to_do(answer: Answer, cause: str, advice: str) -> None:
    with (
        serving(lambda _: answer, models=Answer(status=404)) as endpoint,
        pytest.raises(JudgeError) as refused,
    ):
        check(settings_for(endpoint.url))
    assert f"gives no verdict: {cause}: " in refused.value.what
    assert advice in refused.value.remedy
    assert "\n" not in str(refused.value)
    assert len(endpoint.requests) <= 3


def test_a_redirect_takes_no_header_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HEADER", "v4lue-0f-the-header")
    with serving(lambda _: chat(scores())) as other:
        answer = said(307, b"", Location=f"{other.url}/chat/completions?x=v4lue-0f-the-header")
        with serving(lambda _: answer) as endpoint, pytest.raises(JudgeError) as refused:
            check(settings_for(endpoint.url, headers={"x-sub": "MY_HEADER"}))
    assert other.headers == []
    assert f"it leads to {other.url}" in refused.value.what
    assert "v4lue" not in str(refused.value)
    assert "judge.endpoint" in refused.value.remedy


HINTS = {
    **{f"HTTP {status}": error(status, "no list") for status in (400, 401, 403, 404, 405, 422)},
    **{f"HTTP {status}": error(status, "no list") for status in (429, 500, 501, 503)},
    "missing scopes": error(403, "Missing scopes: api.model.read"),
    "it hangs": Answer(delay=60.0),
    "it hangs up": Answer(drop=True),
    "a page": Answer(body=b"<html><title>Models</title>"),
    "nothing": Answer(),
    "a bare list": Answer(body=b'[{"id": "judge-1"}]'),
    "a list of names": Answer(body=b'["judge-1"]'),
    "names with a path": Answer(body=b'{"data": [{"id": "models/judge-1"}]}'),
    "deployments": Answer(body=b'{"data": [{"id": "gpt-4o-2024-08-06"}]}'),
    "ollama's": Answer(body=b'{"models": [{"name": "judge-1:latest"}]}'),
    "an empty list": Answer(body=b'{"data": []}'),
    "data is null": Answer(body=b'{"object": "list", "data": null}'),
    "rows of nothing": Answer(body=b'{"data": [null, 1, {"id": 7}, {}]}'),
    "deep": Answer(body=b"[" * 200_000),
}


@pytest.mark.parametrize("models", HINTS.values(), ids=HINTS)
def test_the_list_of_models_stops_nothing(models: Answer, files: Make, tmp_path: Path) -> None:
    samples, predictions = files(2)
    with serving(lambda _: chat(scores()), models=models) as endpoint:
        settings = settings_for(endpoint.url, model="judge-1")
        check(settings, samples)
        judge(samples, predictions, tmp_path / "v.jsonl", settings)
    assert len(endpoint.requests) == 3
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())


@pytest.mark.parametrize("models", HINTS.values(), ids=HINTS)
def test_nor_hides_why_there_is_no_verdict(models: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.judge.endpoint.HINT_S", 0.2)
    answer = error(404, "The model `judge` does not exist")
    with serving(lambda _: answer, models=models) as endpoint, pytest.raises(JudgeError) as refused:
        check(settings_for(endpoint.url, model="judge"))
    assert "The model `judge` does not exist" in refused.value.what
    assert "judge.model" in refused.value.remedy
    if b"judge-1" in models.body:
        assert "judge-1" in refused.value.remedy


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: (
        some.lists(inner)
        | some.dictionaries(
            some.sampled_from(["error", "message", "code", "param", "loc", "detail", "type", "x"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(json_values, some.sampled_from([400, 403, 404, 413, 422, 429, 500, 501]))
def test_any_json_is_an_error_that_can_be_told(body: object, status: int) -> None:
    content = json.dumps(body).encode()
    refusal = read(status, content, {})
    assert refusal.text
    assert "\n" not in refusal.told
    assert refusal.told.encode()
    assert cause_of(refusal)
    sent = {"temperature", "max_tokens", "response_format"}
    assert Dialect().without(refusal, sent) != Dialect()
    if inner := within(json.loads(content)):
        assert cause_of(inner)
