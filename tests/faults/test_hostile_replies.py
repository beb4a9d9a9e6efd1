"""Whatever an endpoint answers becomes a verdict or a cause: no traceback, nothing that a terminal
obeys, nothing that cannot be read again."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.cli.main import main
from assay.errors import JudgeError, StageError
from assay.judge import JudgeSettings, check, judge, judge_pairs, verdicts
from assay.judge.contract import ReplyError, parse
from assay.judge.outcome import CallError, read_reply
from assay.judge.rubric import load
from assay.records import Verdict
from tests.faults.endpoint import DIMENSIONS, Answer, Body, chat, error, scores, serving
from tests.faults.test_judge_faults import write_files

HALF = "\ud83d"  # of a character: what is left where a text is cut in its middle
FAKE = "no\x1b]0;title\x07\x1b[2J\r\nassay: GO\r\x9b31m\u202egnp\x00"
DEEP = b"[" * 200_000
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


def completion(content: bytes = b'""', **fields: bytes) -> bytes:
    """Return a chat completion whose parts are raw JSON."""
    finish, usage = fields.get("finish", b'"stop"'), fields.get("usage", b"null")
    message = b'{"role": "assistant", "content": %b, "refusal": %b}'
    message %= (content, fields.get("refusal", b"null"))
    return b'{"choices": [{"message": %b, "finish_reason": %b}], "usage": %b}' % (
        message,
        finish,
        usage,
    )


def verdict_in(text: str) -> bytes:
    """Return a reply whose commentary is `text`, every character of it escaped twice or not."""
    return json.dumps(scores().replace("Right and clear.", json.dumps(text)[1:-1])).encode()


GOOD = json.dumps(scores()).encode()
SCORED = {
    "half a character, escaped in the reply": completion(verdict_in(f"Cut {HALF}")),
    "half a character, escaped in the body": completion(
        json.dumps(scores().replace("Right", f"Right {HALF}")).encode()
    ),
    "control characters in a commentary": completion(verdict_in(FAKE)),
    "usage that is no number": completion(GOOD, usage=b'{"prompt_tokens": "many"}'),
    "usage that is infinite": completion(GOOD, usage=b'{"prompt_tokens": Infinity}'),
    "usage that overflows": completion(GOOD, usage=b'{"completion_tokens": 1e999}'),
    "usage that is not a number": completion(GOOD, usage=b'{"prompt_tokens": NaN}'),
    "usage beyond all counts": completion(GOOD, usage=b'{"prompt_tokens": %b}' % (b"9" * 400)),
    "usage below zero": completion(GOOD, usage=b'{"prompt_tokens": -5}'),
    "usage that is a list": completion(GOOD, usage=b"[1, 2]"),
}
UNSCORED = {
    "a deep body": DEEP,
    "a deep body in a completion": completion(DEEP + b"]" * len(DEEP)),
    "a body as deep as one may": b"[" * 940 + b"]" * 940,
    "a deep reply": completion(json.dumps(DEEP.decode()).encode()),
    "a deep score": completion(json.dumps(scores().replace("7", "[" * 900 + "]" * 900)).encode()),
    "a number without end": completion(b"1" * 5000),
    "a score without end": completion(json.dumps(scores().replace("7", "1" * 5000)).encode()),
    "a score of many digits": completion(json.dumps(scores().replace("7", "1" * 4000)).encode()),
    "a score that is not a number": completion(json.dumps(scores().replace("7", "NaN")).encode()),
    "a score that overflows": completion(json.dumps(scores().replace("7", "1e999")).encode()),
    "a key that is half a character": completion(
        json.dumps(json.dumps({**json.loads(scores()), HALF: 1})).encode()
    ),
    "a reply that is half a character": completion(b'"\\ud83d"'),
    "a refusal that is half a character": completion(refusal=b'"\\udc00"'),
    "a refusal for a terminal": completion(refusal=json.dumps(FAKE).encode()),
    "a body that is no UTF-8": b'{"choices": "\xff\xfe\x80"}',
    "a body of zeros": bytes(100),
    "choices that are no list": b'{"choices": {"0": 1}}',
    "a completion of nothing": b"null",
    "a message that is text": b'{"choices": [{"message": "x"}]}',
    "no body": b"",
}
ERRORS = {
    "text with half a character": b'{"error": {"message": "cut \\ud83d"}}',
    "text for a terminal": json.dumps({"error": {"message": FAKE}}).encode(),
    "raw text for a terminal": FAKE.encode(),
    "deep": DEEP,
    "param is a list": b'{"error": {"message": "x", "param": ["body", "x"]}}',
    "param is a number": b'{"error": {"message": "x", "param": 5}}',
    "param is an object": b'{"error": {"message": "x", "param": {"a": 1}}}',
    "code is a list": b'{"error": {"message": "x", "code": ["a", {}]}}',
    "type is an object": b'{"error": {"message": "x", "type": {"a": []}}}',
    "message is an object": b'{"error": {"message": {"detail": [{"msg": "x"}]}}}',
    "message is a number": b'{"error": {"message": NaN}}',
    "error is a list": b'{"error": [1]}',
    "error is text": b'{"error": "x"}',
    "a list": b'[{"error": {"code": 400}}]',
    "a number": b"1" * 5000,
    "no UTF-8": b"\xff\xfe\x80",
    "nothing": b"",
}
HEADERS = (
    {"Retry-After": "inf"},
    {"Retry-After": "nan"},
    {"Retry-After": "-7"},
    {"Retry-After": "9" * 400},
    {"Retry-After": "\x07soon"},
    {"Content-Type": "application/json; charset=hex"},
    {"Content-Type": "application/json; charset=nonsense"},
    {"Content-Type": "text/event-stream"},
    {"Content-Type": "\xff"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br, \x01"},
    {"X": "y" * 100_000},
    {"Location": "ftp://x/"},
    {"Location": "http://["},
    {"Location": "http://a:99999999/"},
    {"Set-Cookie": "a=\x07; Domain=..; Max-Age=nan"},
)


def settings_for(url: str, **changed: object) -> JudgeSettings:
    asked = {
        "endpoint": url,
        "model": "fake",
        "api_key_env": "",
        "self_test": False,
        "flip_sample": 0,
        "max_wait_s": 0.0,
        "outage_s": 0.0,
    }
    return JudgeSettings(**(asked | {"retries": 0, "max_unscored": 1.0} | changed))  # type: ignore[arg-type]


def judged(answer: Answer, folder: Path) -> Verdict:
    """Judge one answer twice, the second time from what the first has written."""
    files, out = write_files(folder, 1), folder / "verdicts.jsonl"
    with serving(lambda _: answer) as endpoint:
        for _ in range(2):
            judge(*files, out, settings_for(endpoint.url))
    row = verdicts(out)["s0"]
    assert not UNSEEN.search(row.commentary)
    assert out.read_bytes().decode().count("\n") >= 1
    return row


@pytest.mark.parametrize("body", SCORED.values(), ids=SCORED)
def test_a_verdict_is_kept_whatever_stands_beside_it(body: bytes, tmp_path: Path) -> None:
    row = judged(Answer(body=body), tmp_path)
    assert row.values == dict.fromkeys(DIMENSIONS, 7)
    assert row.estimated
    assert min(row.prompt_tokens, row.output_tokens) > 0


@pytest.mark.parametrize("body", UNSCORED.values(), ids=UNSCORED)
def test_what_is_no_verdict_has_a_cause(body: bytes, tmp_path: Path) -> None:
    row = judged(Answer(body=body), tmp_path)
    (cause,) = set(row.unscored.values())
    assert cause in {"server_error", "parse_error", "out_of_range", "refused"}
    assert row.commentary.startswith(f"{cause}: ")


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("body", ERRORS.values(), ids=ERRORS)
def test_an_error_in_any_form_has_a_cause(body: bytes, status: int, tmp_path: Path) -> None:
    row = judged(Answer(status=status, body=body), tmp_path)
    cause = {400: "rejected", 500: "server_error"}[status]
    assert row.unscored == dict.fromkeys(DIMENSIONS, cause)
    assert f"HTTP {status}" in row.commentary


@pytest.mark.parametrize("depth", range(900, 990, 10))
@pytest.mark.parametrize("status", [200, 400])
def test_a_body_at_the_edge_of_what_can_be_read_has_a_cause(
    depth: int, status: int, tmp_path: Path
) -> None:
    nested = b"[" * depth + b"]" * depth
    fields = b"{%b}" % b", ".join(
        b'"%b": %b' % (name, nested) for name in (b"code", b"param", b"type", b"message")
    )
    body = completion(nested) if status == 200 else b'{"error": %b}' % fields
    assert judged(Answer(status=status, body=body), tmp_path).unscored


@pytest.mark.parametrize("status", [200, 307, 429])
@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: str(headers)[:60])
def test_any_header_leaves_a_verdict_or_a_cause(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    answer = Answer(status=status, headers=headers, body=completion(GOOD))
    # an endpoint that asks to wait for too long ends the stage, and its log says why
    with suppress(StageError):
        judged(answer, tmp_path)
    row = verdicts(tmp_path / "verdicts.jsonl")["s0"]
    assert row.values or row.unscored


def hostile(body: Answer | None, models: tuple[str, ...] = ("fake",)) -> str:
    """Return what preflight says of a judge."""
    with (
        serving(lambda _: body or error(404, "no such model"), models) as endpoint,
        pytest.raises(JudgeError) as refused,
    ):
        check(settings_for(endpoint.url))
    return str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        chat(None, refusal=FAKE),
        error(400, FAKE),
        error(429, FAKE),
        error(500, FAKE),
        Answer(body=FAKE.encode()),
    ],
)
def test_what_an_endpoint_says_stays_on_its_line(answer: Answer) -> None:
    line = hostile(answer)
    assert not UNSEEN.search(line)
    assert "gives no verdict" in line


@pytest.mark.parametrize("name", [FAKE, HALF, f"fake{HALF}", "fake\nassay: GO", "x" * 10_000])
def test_a_models_name_stays_on_its_line(name: str) -> None:
    line = hostile(None, models=(name,))
    assert not UNSEEN.search(line)
    assert "serves no model 'fake'" in line
    assert len(line) < 450


def test_the_command_prints_one_line_that_a_terminal_only_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    write_files(run / "candidate", 3)
    (run / "candidate" / "dataset.jsonl").rename(run / "dataset.jsonl")
    with serving(lambda _: error(400, FAKE)) as endpoint:
        config = {
            "dataset": {"eval": str(run / "dataset.jsonl")},
            "model": "m",
            "baseline": "none",
            "mode": "judge",
            "judge": {"endpoint": endpoint.url, "model": "fake", "api_key_env": ""},
        }
        (run / "config.yaml").write_text(json.dumps(config))
        assert main(["judge", str(run)]) == 1
    told = capsys.readouterr().err.splitlines()
    (line,) = [line for line in told if line.startswith("assay: ")]
    assert "3 of 3 verdicts have no score" in line
    assert not any(UNSEEN.search(line) for line in told)


def test_half_a_character_in_a_pairs_reasons_is_replaced(tmp_path: Path) -> None:
    samples, predictions = write_files(tmp_path, 2)
    reply = json.dumps({"commentary": f"Cut {HALF}", "better": "tie"})
    with serving(lambda _: chat(reply)) as endpoint:
        settings = settings_for(endpoint.url)
        for _ in range(2):
            judge_pairs(samples, predictions, predictions, tmp_path / "pairs.jsonl", settings)
    assert len(endpoint.requests) == 4
    assert "Cut \ufffd" in verdicts(tmp_path / "pairs.jsonl")["s0"].commentary


def test_a_reply_to_be_repaired_may_hold_half_a_character(tmp_path: Path) -> None:
    replies = iter([f"I say 7 {HALF}", scores()])
    with serving(lambda _: chat(next(replies))) as endpoint:
        judge(*write_files(tmp_path, 1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    assert endpoint.requests[1]["messages"][2]["content"] == "I say 7 \ufffd"
    assert verdicts(tmp_path / "v.jsonl")["s0"].values


values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(HALF + "a\x1b\n"),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(max_size=3), inner),
)
completions = some.fixed_dictionaries(
    {},
    optional={
        "choices": some.lists(
            some.fixed_dictionaries(
                {},
                optional={
                    "message": some.dictionaries(some.sampled_from(["content", "refusal"]), values),
                    "finish_reason": values,
                },
            )
        )
        | values,
        "usage": some.dictionaries(
            some.sampled_from(["prompt_tokens", "completion_tokens"]), values
        )
        | values,
    },
)


@given(completions | values)
def test_a_body_of_any_json_is_a_reply_or_a_cause(body: object) -> None:
    try:
        reply = read_reply(json.dumps(body).encode())
    except CallError as error:
        told, tokens = str(error), error.tokens
    else:
        told, tokens = reply.text, reply.tokens
    assert told.encode().decode() == told
    assert all(0 <= count <= 1e9 for count in tokens)


@given(
    some.dictionaries(some.sampled_from([*DIMENSIONS, "commentary", HALF]), values)
    | some.fixed_dictionaries({"commentary": some.text(), **dict.fromkeys(DIMENSIONS, values)})
)
def test_a_reply_of_any_json_is_an_opinion_or_a_cause(reply: object) -> None:
    try:
        told = parse(load("default-en"), json.dumps(reply)).commentary
    except ReplyError as error:
        told = str(error)
    assert told
    assert not UNSEEN.search(told)


def test_a_parameter_that_is_named_in_a_list_is_left_out(tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        if "response_format" in body:
            return error(400, "x", param=["body", "response_format"])
        return chat(scores())

    with serving(handler) as endpoint:
        judge(*write_files(tmp_path, 1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    forms = [body.get("response_format", {}).get("type") for body in endpoint.requests]
    assert forms == ["json_schema", "json_object", None]
    assert verdicts(tmp_path / "v.jsonl")["s0"].values
