"""What endpoints answer with HTTP 200, in the forms in which they do: a verdict in any form that
loses nothing, and everything else by its cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.errors import JudgeError
from assay.judge import check, judge, verdicts
from assay.judge.outcome import CallError, Reply, read_reply
from assay.records import Verdict
from tests.faults.endpoint import DIMENSIONS, Answer, chat, scores, serving
from tests.unit.judge import fake

settings_for = partial(fake.settings_for, retries=3)

Make = Callable[[int], tuple[Path, Path]]

VERDICT = scores()
KEY = "sk-s3cr3t-0123456789"


def completion(content: object, finish: object = "stop", **more: object) -> Answer:
    """Return a chat completion; `usage` among `more` stands beside its choice."""
    body = {"usage": {"prompt_tokens": 100, "completion_tokens": 20}}
    body |= {name: more.pop(name) for name in ("usage", "error") if name in more}  # type: ignore[misc]
    message = {"role": "assistant", "content": content, **more}
    return Answer(
        body=json.dumps(
            {"choices": [{"message": message, "finish_reason": finish}], **body}
        ).encode()
    )


def events(
    *deltas: dict[str, Any], finish: str | None = "stop", end: str = "data: [DONE]\n\n"
) -> Answer:
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 20}})
    text = ": keep-alive\n\n" + "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + end
    return Answer(body=text.encode(), headers={"Content-Type": "text/event-stream"})


PIECES = [{"content": VERDICT[place : place + 7]} for place in range(0, len(VERDICT), 7)]
CHUNKS = [
    {"choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in PIECES
] + [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
LINES = "\n".join(map(json.dumps, CHUNKS)).encode()
READ = {
    "parts": completion([{"type": "text", "text": VERDICT}]),
    "parts of a thinking model": completion(
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
            {"type": "text", "text": VERDICT},
        ]
    ),
    "several parts": completion(
        [{"type": "text", "text": VERDICT[:30]}, {"type": "text", "text": VERDICT[30:]}]
    ),
    "output_text": completion([{"type": "output_text", "text": VERDICT, "annotations": []}]),
    "redacted thoughts": completion(
        [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": VERDICT}]
    ),
    "parts of bare text": completion([VERDICT]),
    "one part": completion({"type": "text", "text": VERDICT}),
    "an unopened thought": completion(f"Hm.\n</think>\n\n{VERDICT}"),
    "a thought with a draft": completion(f"Perhaps {VERDICT}?\n</think>\n{VERDICT}"),
    "a fence": completion(f"```JSON\n{VERDICT}\n```"),
    "a byte order mark": completion(f"\ufeff{VERDICT}"),
    "a byte order mark of the body": Answer(body=b"\xef\xbb\xbf" + chat(VERDICT).body),
    "blank lines before the body": Answer(body=b"\n\n\n  \n" + chat(VERDICT).body),
    "numbers with a point": completion(VERDICT.replace("7", "7.0")),
    "numbers as text": completion(VERDICT.replace("7", '"7"')),
    "thoughts beside": completion(VERDICT, reasoning_content="Hm. {}"),
    "no finish_reason": completion(VERDICT, None),
    "another finish_reason": completion(VERDICT, "end_turn"),
    "an upper-case finish_reason": completion(VERDICT, "STOP"),
    "no usage": completion(VERDICT, usage=None),
    "usage as text": completion(VERDICT, usage="100"),
    "usage in text": completion(VERDICT, usage={"prompt_tokens": "100", "completion_tokens": "20"}),
    "usage by other names": completion(VERDICT, usage={"input_tokens": 100, "output_tokens": 20}),
    "usage with nulls": completion(VERDICT, usage={"prompt_tokens": None, "total_tokens": None}),
    "error is null": completion(VERDICT, error=None),
    "error is empty": completion(VERDICT, error={}),
    "tool calls that are none": completion(VERDICT, tool_calls=[], function_call=None),
    "an object": completion(json.loads(VERDICT)),
    "a list of one": Answer(body=b"[" + chat(VERDICT).body + b"]"),
    "text of JSON": Answer(body=json.dumps(chat(VERDICT).body.decode()).encode()),
    "data around it": Answer(
        body=b'{"code": 200, "msg": "ok", "data": ' + chat(VERDICT).body + b"}"
    ),
    "a result": Answer(
        body=b'{"success": true, "errors": [], "result": ' + chat(VERDICT).body + b"}"
    ),
    "UTF-16": Answer(body=chat(VERDICT).body.decode().encode("utf-16")),
    "a zero behind the body": Answer(body=chat(VERDICT).body + b"\0"),
    "the end of a stream behind it": Answer(body=chat(VERDICT).body + b"\n\ndata: [DONE]\n\n"),
    "comments before the body": Answer(
        body=b": PROCESSING\n\n: PROCESSING\n\n" + chat(VERDICT).body
    ),
    "a filter's own error": Answer(
        body=json.dumps(
            {
                "choices": [
                    {
                        "message": {"content": VERDICT},
                        "content_filter_results": {"error": {"code": "content_filter_error"}},
                    }
                ],
                "prompt_filter_results": [
                    {"content_filter_results": {"hate": {"filtered": False}}}
                ],
            }
        ).encode()
    ),
    "a stream": events({"role": "assistant", "content": ""}, *PIECES),
    "a stream with thoughts": events({"reasoning_content": "Hm"}, {"reasoning": "."}, *PIECES),
    "a stream of parts": events({"content": [{"type": "text", "text": VERDICT}]}),
    "a stream without its end": events(*PIECES, end=""),
    "a stream of parts and then text": events(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}, *PIECES
    ),
    "a stream of text and then parts": events(
        {"content": VERDICT[:9]}, {"content": [{"type": "text", "text": VERDICT[9:]}]}
    ),
    "a line for each piece": Answer(body=LINES),
    "lines with their end": Answer(body=LINES.replace(b"\n", b"\r\n") + b"\n\n[DONE]\n"),
    "a list of pieces": Answer(body=json.dumps(CHUNKS).encode()),
    "one piece": Answer(
        body=json.dumps(
            {"choices": [{"delta": {"content": VERDICT}, "finish_reason": "stop"}]}
        ).encode()
    ),
    "a stream of one message": Answer(
        body=b"data: " + chat(VERDICT).body + b"\n\ndata: [DONE]\n\n"
    ),
    "a stream with carriage returns": Answer(
        body=events(*PIECES).body.replace(b"\n", b"\r\n"), headers={"Content-Type": "text/plain"}
    ),
    "a stream with pings": Answer(
        body=b'event: ping\ndata: {"type": "ping"}\n\n' + events(*PIECES).body
    ),
    "a stream with names of events": Answer(
        body=b"event: message\nid: 1\ndata: " + chat(VERDICT).body + b"\n\n"
    ),
}


def judged(answer: Answer, files: Make, folder: Path, **changed: Any) -> tuple[Verdict, int]:
    """Return the verdict on one prediction, and how often it was asked for."""
    with serving(lambda _: answer) as endpoint:
        judge(*files(1), folder / "v.jsonl", settings_for(endpoint.url, **changed))
    return verdicts(folder / "v.jsonl")["s0"], len(endpoint.requests)


@pytest.mark.parametrize("answer", READ.values(), ids=READ)
def test_a_verdict_is_read_in_every_form_that_loses_nothing(
    answer: Answer, files: Make, tmp_path: Path
) -> None:
    with serving(lambda _: answer) as endpoint:
        check(settings_for(endpoint.url))
    row, requests = judged(answer, files, tmp_path)
    assert row.values == dict.fromkeys(DIMENSIONS, 7)
    assert requests == 1


def error_in_200(code: object, message: str = "Provider returned error") -> Answer:
    error = {"message": message, "code": code}
    body = {"id": None, "choices": None, "usage": None, "error": error}
    return Answer(body=json.dumps(body).encode())


CAUSES: dict[str, tuple[Answer, str, int, str]] = {
    "429 within 200": (error_in_200(429), "rate_limited", 4, "Provider returned error"),
    "429 in words": (
        error_in_200("rate_limit_exceeded", "slow down"),
        "rate_limited",
        4,
        "slow down",
    ),
    "402 within 200": (error_in_200(402), "rate_limited", 1, "Provider returned error"),
    "401 within 200": (error_in_200(401, "User not found."), "auth", 1, "User not found"),
    "502 within 200": (error_in_200(502), "server_error", 4, "Provider returned error"),
    "400 within 200": (error_in_200("400", "no such thing"), "rejected", 1, "no such thing"),
    "no code": (error_in_200(None, "it broke"), "server_error", 2, "it broke"),
    "text": (Answer(body=b'{"error": "overloaded"}'), "server_error", 4, "overloaded"),
    "a gateway's": (
        Answer(body=b'{"code": 401, "msg": "token expired", "success": false}'),
        "auth",
        1,
        "token expired",
    ),
    "base_resp": (
        Answer(
            body=b'{"choices": null, "base_resp": {"status_code": 1004, "status_msg": "login"}}'
        ),
        "auth",
        1,
        "login",
    ),
    "base_resp of another kind": (
        Answer(
            body=b'{"choices": null, "base_resp": {"status_code": 1099, "status_msg": "login"}}'
        ),
        "server_error",
        2,
        "login",
    ),
    "error_msg": (
        Answer(body=b'{"error_code": 110, "error_msg": "Access token invalid"}'),
        "auth",
        1,
        "Access token invalid",
    ),
    "an error of the choice": (
        Answer(
            body=b'{"choices": [{"error": {"code": 429, "message": "upstream"}, "finish_reason": '
            b'"error", "message": {"content": ""}}]}'
        ),
        "rate_limited",
        4,
        "upstream",
    ),
    "an error in a stream": (
        Answer(body=b'data: {"error": {"message": "busy", "code": 503}}\n\n'),
        "server_error",
        4,
        "busy",
    ),
    "a stream that is broken off": (
        events(*PIECES[:3], finish=None, end=""),
        "server_error",
        2,
        "broken off",
    ),
    "lines that are broken off": (
        Answer(body=b"\n".join(LINES.splitlines()[:3])),
        "server_error",
        2,
        "broken off",
    ),
    "a line that is an error": (
        Answer(body=LINES.splitlines()[0] + b'\n{"error": {"message": "busy", "code": 503}}'),
        "server_error",
        4,
        "busy",
    ),
    "thoughts alone": (completion("", reasoning_content="Hm"), "empty", 1, "reasoning_content"),
    "thoughts by another name": (completion(None, reasoning="Hm"), "empty", 1, "in reasoning"),
    "thoughts cut": (completion("", "length", reasoning_content="H"), "truncated", 1, "length"),
    "thoughts in details": (
        completion("", reasoning=None, reasoning_details=[{"text": "Hm"}]),
        "empty",
        1,
        "in reasoning_details",
    ),
    "a call of a tool": (
        completion(None, "tool_calls", tool_calls=[{"function": {"arguments": VERDICT}}]),
        "empty",
        1,
        "in tool_calls",
    ),
    "a filter and which": (
        completion(None, "content_filter: PROHIBITED_CONTENT"),
        "content_filter",
        1,
        "content_filter",
    ),
    "a filter without a message": (
        Answer(body=b'{"choices": [{"index": 0, "finish_reason": "content_filter"}]}'),
        "content_filter",
        1,
        "content_filter",
    ),
    "a filter of the prompt": (
        Answer(
            body=b'{"choices": [], "prompt_filter_results": [{"prompt_index": 0, '
            b'"content_filter_results": {"jailbreak": {"filtered": true, "detected": true}}}]}'
        ),
        "content_filter",
        1,
        "jailbreak",
    ),
    "broken off, and why": (
        Answer(
            body=b'{"choices": [{"error": {"code": 502, "message": "upstream is idle"}, '
            b'"finish_reason": "error", "message": {"content": "{"}}]}'
        ),
        "server_error",
        2,
        "upstream is idle",
    ),
    "a stream broken off, and why": (
        Answer(
            body=b'data: {"choices": [{"delta": {"content": "{"}}]}\n\n'
            b'data: {"error": {"code": 500, "message": "a worker died"}, '
            b'"choices": [{"delta": {}, "finish_reason": "error"}]}\n\n'
        ),
        "server_error",
        2,
        "a worker died",
    ),
    "no such model, without a code": (
        Answer(body=b'{"detail": "model \'fake\' is not found"}'),
        "not_found",
        1,
        "is not found",
    ),
    "a filter": (completion("", "content_filter"), "content_filter", 1, "content_filter"),
    "sensitive": (completion("", "sensitive"), "content_filter", 1, "sensitive"),
    "SAFETY": (completion(None, "SAFETY"), "content_filter", 1, "safety"),
    "max_tokens": (completion("{", "max_tokens"), "truncated", 1, "max_tokens"),
    "MAX_TOKENS": (completion("{", "MAX_TOKENS"), "truncated", 1, "max_tokens"),
    "model_length": (completion("{", "model_length"), "truncated", 1, "model_length"),
    "error": (completion("{", "error"), "server_error", 2, "error"),
    "insufficient_system_resource": (
        completion("{", "insufficient_system_resource"),
        "server_error",
        2,
        "insufficient_system_resource",
    ),
    "a refusal": (completion(None, refusal="I will not."), "refused", 1, "I will not."),
    "a page": (Answer(body=b"<html><title>Sign in</title>"), "server_error", 2, "Sign in"),
    "nothing": (Answer(body=b""), "server_error", 2, "not a chat completion"),
    "half a score": (completion(VERDICT.replace("7", "7.5")), "parse_error", 2, "not an integer"),
    "a score in words": (
        completion(VERDICT.replace("7", '"seven"')),
        "parse_error",
        2,
        "not an integer",
    ),
    "prose": (completion(f"Here you are: {VERDICT}"), "parse_error", 2, "not one JSON object"),
}


@pytest.mark.parametrize(("answer", "cause", "requests", "told"), CAUSES.values(), ids=CAUSES)
def test_what_is_no_verdict_has_its_cause_and_the_endpoints_words(
    answer: Answer,
    cause: str,
    requests: int,
    told: str,
    files: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.judge.retries.wait_s", lambda *_: 0.0)
    row, sent = judged(answer, files, tmp_path)
    assert set(row.unscored.values()) == {cause}
    assert told in row.commentary
    assert sent == requests  # of an answer of HTTP 200, which may be paid, two at the most
    with serving(lambda _: answer) as endpoint, pytest.raises(JudgeError) as refused:
        check(settings_for(endpoint.url))
    assert told in str(refused.value)
    assert refused.value.remedy
    assert len(endpoint.requests) <= 3


NAMES = [
    *("choices", "message", "delta", "content", "text", "type", "error", "code", "usage"),
    *("prompt_tokens", "completion_tokens", "finish_reason", "refusal", "reasoning_content"),
    *("thinking", "prompt_filter_results", "filtered", "data", "result"),
]
ODD = some.recursive(
    some.none() | some.booleans() | some.integers(-9, 999) | some.floats() | some.text(max_size=9),
    lambda each: (
        some.lists(each, max_size=3) | some.dictionaries(some.sampled_from(NAMES), each, max_size=4)
    ),
    max_leaves=12,
)
CHOICES = some.dictionaries(some.sampled_from(NAMES), ODD).map(lambda each: {"choices": [each]})


@given(
    some.lists(ODD | CHOICES, min_size=1, max_size=4),
    some.sampled_from([b"data: %s\n\n", b"%s\n", b"%s", b"[%s]"]),
)
def test_whatever_a_body_holds_it_is_a_reply_or_a_cause(rows: list[object], form: bytes) -> None:
    body = b"".join(form % json.dumps(row).encode() for row in rows)
    with suppress(CallError):
        assert isinstance(read_reply(body), Reply)


def test_thoughts_count_as_output(files: Make, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 420}
    row, _ = judged(completion(VERDICT, usage=usage), files, tmp_path)
    assert (row.prompt_tokens, row.output_tokens) == (100, 320)


def test_a_stream_is_asked_for_with_its_tokens(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: events(*PIECES)) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url, stream=True))
    assert endpoint.requests[0]["stream"] is True
    assert endpoint.requests[0]["stream_options"] == {"include_usage": True}
    row = verdicts(tmp_path / "v.jsonl")["s0"]
    assert (row.prompt_tokens, row.output_tokens) == (100, 20)


@pytest.mark.parametrize("pieces", [[KEY], [KEY[:5], KEY[5:9], KEY[9:]]])
def test_a_key_in_a_stream_is_not_kept(
    pieces: list[str], files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    before, behind = VERDICT.split("Right")
    deltas = [{"content": text} for text in (before, *pieces, behind)]
    row, _ = judged(events(*deltas), files, tmp_path, api_key_env="MY_KEY")
    assert row.values
    assert row.commentary == "*** and clear."
