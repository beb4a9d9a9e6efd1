"""What endpoints refuse, and why they give no verdict, in their own words: what is left out of the
next request, the cause, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.judge import judge, verdicts
from assay.judge.causes import CONTENT_FILTER, OVERFLOW, TRUNCATED, UNPARSED, cause_of
from assay.judge.dialect import FORMS, Dialect
from assay.judge.outcome import call_error
from assay.judge.refusal import Refusal, read, within
from assay.judge.remedies import remedy
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge import fake
from tests.unit.judge.conftest import Make, prediction, sample

Row = dict[str, Any]

DATA = Path(__file__).parents[2] / "data"
MOST_RUNGS = 5
REFUSED: dict[str, tuple[str, Callable[[Dialect], bool]]] = {
    "temperature": ("temperature", lambda asked: asked.temperature),
    "limit": ("limit", lambda asked: asked.limit == "max_tokens"),
    "any limit": ("limit", lambda asked: bool(asked.limit)),
    "response_format": ("form", lambda asked: asked.form != "prompt"),
    "json_schema": ("form", lambda asked: asked.form.startswith("json_schema")),
    "maxLength": ("form", lambda asked: asked.form == FORMS[0]),
    "enum": ("form", lambda asked: asked.form in FORMS[:2]),
    "additionalProperties": ("form", lambda asked: asked.form in FORMS[:2]),
    "system": ("system", lambda asked: asked.system),
    "unstreamed": ("stream", lambda asked: not asked.stream),
    "stream_options": ("usage", lambda asked: asked.usage),
}


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def named(table: Iterable[Row]) -> list[str]:
    return [f"{row.get('kind', row.get('cause'))}: {row['case']}" for row in table]


def refusal_of(row: Row) -> Refusal:
    body = row["body"]
    if row["status"] == 200:
        refusal = within(body)
        assert refusal
        return refusal
    content = body if isinstance(body, str) else json.dumps(body)
    return read(row["status"], content.encode(), {})


def sent(asked: Dialect) -> set[str]:
    names = {
        "temperature": asked.temperature,
        asked.limit: bool(asked.limit),
        "response_format": asked.form != "prompt",
        "stream": asked.stream,
        "stream_options": asked.stream and asked.usage,
    }
    return {name for name, is_sent in names.items() if is_sent}


DIALECTS = rows("dialects.jsonl")


@pytest.mark.parametrize("row", DIALECTS, ids=named(DIALECTS))
def test_what_is_refused_is_left_out_and_nothing_else(row: Row) -> None:
    part, refuses = REFUSED[row["refuses"]]
    refusal = refusal_of(row)
    begun = asked = Dialect(stream=part == "usage")
    for _ in range(MOST_RUNGS):
        lower = asked.without(refusal, sent(asked)) if refuses(asked) else asked
        assert lower, f"{refusal} names nothing"
        asked = lower
    assert not refuses(asked)
    assert replace(asked, **{part: getattr(begun, part)}) == begun
    assert cause_of(refusal) not in (CONTENT_FILTER, OVERFLOW, TRUNCATED, UNPARSED)


REMEDIES = rows("remedies.jsonl")


@pytest.mark.parametrize("row", REMEDIES, ids=named(REMEDIES))
def test_why_there_is_no_verdict_and_what_to_do(row: Row) -> None:
    failure = call_error(refusal_of(row), {})
    settings = fake.settings_for("http://x/v1", extra_body={"reasoning_effort": "minimal"})
    settings = replace(settings, api_key_env="MY_KEY")
    assert failure.cause == row["cause"]
    assert row["says"] in str(failure)
    assert row["advice"] in remedy(settings, failure.cause, str(failure), [])


def test_a_model_that_is_served_is_not_what_was_not_found() -> None:
    settings = fake.settings_for("http://x/v1")
    assert "base URL" in remedy(settings, "not_found", "HTTP 404: Resource not found", ["fake"])


PASSING = {
    "system error": error(500, "System error, please try again"),
    "an unexpected one": error(500, "The system has met an unexpected error"),
    "of a database": error(500, "schema public: relation does not exist"),
    "of a stream": error(502, "upstream stream error"),
    "not a chat": error(503, "system is not available"),
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_an_endpoint_that_fails_for_a_moment_is_asked_as_before(
    answer: Answer, files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.judge.retries.wait_s", lambda *_: 0.0)
    left = [answer]
    with serving(lambda _: left.pop() if left else chat(scores())) as endpoint:
        settings = fake.settings_for(endpoint.url, retries=1, concurrency=1)
        judge(*files(2), tmp_path / "v.jsonl", settings)
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())
    asked = [set(body) for body in endpoint.requests]
    assert asked == [asked[0]] * 3
    assert all(body["messages"][0]["role"] == "system" for body in endpoint.requests)


def test_a_router_that_names_nothing_is_asked_for_less(files: Make, tmp_path: Path) -> None:
    words = "No endpoints found that can handle the requested parameters."

    def handler(body: Body) -> Answer:
        return error(404, words) if "temperature" in body else chat(scores())

    with serving(handler) as endpoint:
        judge(*files(2), tmp_path / "v.jsonl", fake.settings_for(endpoint.url))
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())
    assert len(endpoint.requests) == 3
    assert all("response_format" in body for body in endpoint.requests)


def test_a_reply_that_the_endpoint_finds_to_be_no_json_is_asked_for_once_more(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.judge.retries.wait_s", lambda *_: 0.0)
    words = "Generated JSON does not match the expected schema. See 'failed_generation'"
    said = partial(error, 400, words, code="json_validate_failed")
    with serving(lambda _: said()) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", fake.settings_for(endpoint.url))
    row = verdicts(tmp_path / "v.jsonl")["s0"]
    assert set(row.unscored.values()) == {"parse_error"}
    assert "does not match" in row.commentary
    assert len(endpoint.requests) == 2
    assert all("response_format" in body for body in endpoint.requests)


def test_an_error_in_another_charset_is_read() -> None:
    content = json.dumps({"error": "模型维护中"}, ensure_ascii=False).encode("gbk")
    header = {"content-type": "application/json; charset=gbk"}
    assert read(400, content, header).text == "模型维护中"
    assert read(400, b"down", {"content-type": "text/plain; charset=none"}).text == "down"


QUOTED = {
    "as it is": lambda text: error(400, f"Invalid content: {text}"),
    "in quotation marks": lambda text: error(400, f"Cannot answer '{text}', which is invalid"),
    "as JSON": lambda text: error(400, "Bad: " + json.dumps({"messages": [{"content": text}]})),
    "as Python": lambda text: error(400, f"Bad: {[{'role': 'user', 'content': text}]}"),
    "of a field": lambda text: error(400, text, param="messages[1].content"),
}
WORDS = [
    "the temperature is not supported",
    "max_tokens is invalid",
    "You must not set response_format",
    "the system role is not supported",
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("quote", QUOTED.values(), ids=QUOTED)
def test_what_is_quoted_of_an_answer_changes_nothing(
    quote: Callable[[str], Answer], words: str, tmp_path: Path
) -> None:
    store.write_rows(tmp_path / "samples", (sample(name) for name in ("a", "b")))
    answers = (prediction("a", f"It is {words}."), prediction("b"))
    store.write_rows(tmp_path / "predictions", answers)
    left = [quote(words)]  # once: what is asked for next it takes, whatever that lacks
    with serving(lambda _: left.pop() if left else chat(scores())) as endpoint:
        settings = fake.settings_for(endpoint.url, retries=0, concurrency=1)
        judge(tmp_path / "samples", tmp_path / "predictions", tmp_path / "v.jsonl", settings)
    first, *others = [
        {**body, "messages": [turn["role"] for turn in body["messages"]]}
        for body in endpoint.requests
    ]
    assert others == [first]
    assert verdicts(tmp_path / "v.jsonl")["a"].unscored
