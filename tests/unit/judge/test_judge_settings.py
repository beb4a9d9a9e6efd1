"""Headers, query, extra_body, stream, temperature and certificates: what is sent, and what is
refused because it would be stored."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assay import config
from assay.errors import InputError, JudgeError, SettingsError
from assay.judge import JudgeSettings, check, judge, judge_sides, verdicts
from assay.judge.settings import Seat
from assay.settings import build
from tests import loopback
from tests.faults.endpoint import Answer, chat, error, scores, serving
from tests.unit.judge import fake

settings_for = partial(fake.settings_for, retries=0)

Make = Callable[[int], tuple[Path, Path]]
VALUE = "v4lue-0f-the-header"
KEY = "sk-s3cr3t-0123456789"


def a_run(**judge: Any) -> dict[str, Any]:
    asked = {"endpoint": "https://judge.example/v1", "model": "m"}
    return {"model": "a/b", "dataset": {"eval": "x.json"}, "judge": asked | judge}


def test_azure_is_asked_as_it_wants(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", VALUE)
    settings = {"headers": {"api-key": "AZURE_KEY"}, "query": {"api-version": "2024-10-21"}}
    samples, predictions = files(2)
    with serving(lambda _: chat(scores())) as endpoint:
        at = endpoint.url.replace("/v1", "/openai/deployments/mine")
        asked = settings_for(at, **settings)
        check(asked, samples)
        judge(samples, predictions, tmp_path / "v.jsonl", asked)
    path = "/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    assert endpoint.paths == [path] * 3
    assert [headers["api-key"] for headers in endpoint.headers] == [VALUE] * 3
    assert not any("authorization" in headers for headers in endpoint.headers)
    assert not any(VALUE in path.read_text() for path in tmp_path.iterdir())


def test_a_key_and_further_headers_go_together(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("SUBSCRIPTION", VALUE)
    headers = {"Ocp-Apim-Subscription-Key": "SUBSCRIPTION"}
    with serving(lambda _: chat(scores())) as endpoint:
        asked = settings_for(endpoint.url, api_key_env="MY_KEY", headers=headers)
        judge(*files(1), tmp_path / "v.jsonl", asked)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert endpoint.headers[0]["ocp-apim-subscription-key"] == VALUE


def test_a_header_may_be_the_authorization_itself(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASIC", f"Basic {VALUE}")
    with serving(lambda _: error(400, f"no: {VALUE}")) as endpoint:
        asked = settings_for(endpoint.url, headers={"Authorization": "BASIC"})
        judge(*files(1), tmp_path / "v.jsonl", asked)
    assert endpoint.headers[0]["authorization"] == f"Basic {VALUE}"
    assert "no: ***" in verdicts(tmp_path / "v.jsonl")["s0"].commentary


def test_a_header_without_its_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(JudgeError, match=r"header api-key is missing: .* NOT_SET is not set"):
        check(settings_for("http://127.0.0.1:9/v1", headers={"api-key": "NOT_SET"}))


def test_extra_body_goes_along_and_is_part_of_the_key(files: Make, tmp_path: Path) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low"}
    keys = []
    for name, body in (("without", {}), ("with", extra)):
        with serving(lambda _: chat(scores())) as endpoint:
            out = tmp_path / name / "v.jsonl"
            judge(*files(1), out, settings_for(endpoint.url, extra_body=body))
        assert {key: endpoint.requests[0].get(key) for key in body} == body
        keys.append(verdicts(out)["s0"].key)
    assert len(set(keys)) == 2


def test_temperature_none_leaves_it_out(files: Make, tmp_path: Path) -> None:
    asked = config.parse(a_run(temperature="none")).judge
    assert asked
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url, temperature="none"))
    assert asked.temperature == "none"
    assert "temperature" not in endpoint.requests[0]
    summary = json.loads((tmp_path / "judge.json").read_text())
    assert summary["temperature"] == "none"
    assert " " not in verdicts(tmp_path / "v.jsonl")["s0"].key  # nothing was refused


@pytest.mark.parametrize("value", [5, -1, "hot", None, True])
def test_another_temperature_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(SettingsError, match=r"^judge\.temperature = "):
        build(JudgeSettings, {"endpoint": "e", "model": "m", "temperature": value}, "judge")


def test_a_seat_at_another_server_gets_none_of_the_first_ones(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST", VALUE)
    monkeypatch.setenv("OWN", "0wn-value")
    samples, predictions = files(1)
    with (
        serving(lambda _: chat(scores())) as first,
        serving(lambda _: chat(scores())) as second,
        serving(lambda _: chat(scores())) as third,
    ):
        panel = (
            Seat(model="n", endpoint=second.url),
            Seat(model="o", endpoint=third.url, headers={"x-own": "OWN"}, query={"v": "2"}),
            Seat(model="p"),
        )
        settings = settings_for(
            first.url,
            headers={"x-first": "FIRST"},
            query={"v": "1"},
            extra_body={"a": 1},
            panel=panel,
        )
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    assert [headers["x-first"] for headers in first.headers] == [VALUE] * 2
    assert "x-first" not in second.headers[0] | third.headers[0]
    assert third.headers[0]["x-own"] == "0wn-value"
    assert [path.partition("?")[2] for path in (*second.paths, *third.paths)] == ["", "v=2"]
    assert [body.get("a") for body in (*first.requests, *second.requests)] == [1, 1, None]


SECRETS: dict[str, dict[str, Any]] = {
    "a key as the model": {"model": KEY},
    "a key as a seat's model": {"panel": [{"model": KEY}]},
    "a key in the path": {"endpoint": f"https://judge.example/{KEY}/v1"},
    "a key behind a semicolon": {"endpoint": f"https://judge.example/v1;key={KEY}"},
    "a seat's behind a semicolon": {
        "panel": [{"model": "n", "endpoint": f"https://e/v1;key={KEY}"}]
    },
    "a key in the query": {"query": {"key": KEY}},
    "a token in the query": {"query": {"access_token": "s3cr3t"}},
    "a signature in the query": {"query": {"sig": "s3cr3t"}},
    "a key by its form": {"query": {"version": KEY}},
    "a header's value": {"headers": {"api-key": KEY}},
    "a header with its prefix": {"headers": {"Authorization": f"Bearer {KEY}"}},
    "a seat's header": {"panel": [{"model": "n", "headers": {"api-key": KEY}}]},
    "a seat's query": {"panel": [{"model": "n", "query": {"subscription-key": "s3cr3t"}}]},
    "in extra_body": {"extra_body": {"api_key": KEY}},
    "deep in extra_body": {"extra_body": {"provider": {"options": [{"token": "s3cr3t"}]}}},
    "a seat's extra_body": {"panel": [{"model": "n", "extra_body": {"api_key": KEY}}]},
    "a password in extra_body": {"extra_body": {"proxy": "http://u:s3cr3t@e/"}},
}


@pytest.mark.parametrize("changed", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_a_setting_is_refused_and_not_shown(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        config.parse(a_run(**changed))
    assert str(refused.value).startswith("judge.")
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        "https://b.s3.example/x.json?X-Amz-Algorithm=A&X-Amz-Signature=s3cr3t",
        "https://b.s3.example/x.json?X-Amz-Credential=s3cr3t%2Fus",
        "https://b.s3.example/x.json?AWSAccessKeyId=s3cr3t&Signature=x",
        "https://blob.example/x.json?sv=2024&sig=s3cr3t",
        "https://storage.example/x.json?X-Goog-Signature=s3cr3t",
        "https://e.example/x.json?token=s3cr3t",
        "https://e.example/x.json;key=s3cr3t",
    ],
)
@pytest.mark.parametrize("place", ["dataset", "model", "judge"])
def test_a_signed_address_is_refused_and_not_shown(url: str, place: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "dataset": {"dataset": {"eval": url}},
        "model": {"model": url},
        "judge": a_run(rubric=url),
    }
    with pytest.raises(InputError, match="holds a signature or a key") as refused:
        config.parse(a_run() | changes[place])
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-2024-08-06",
        "hf-internal-testing/tiny",
        "sk/model-1",
        "xai-grok-4-fast-reasoning",
        "deepseek-ai/DeepSeek-V3.1",
        "glm-4.6",
        "accounts/fireworks/models/x",
        "pk-7b-instruct-v2",
    ],
)
def test_a_model_is_no_key(model: str) -> None:
    asked = config.parse(a_run(model=model)).judge
    assert asked
    assert asked.model == model


@pytest.mark.parametrize("name", ["model", "messages", "temperature", "max_tokens", "stream"])
def test_what_has_a_setting_of_its_own_is_no_extra(name: str) -> None:
    with pytest.raises(JudgeError, match=rf"judge\.extra_body\.{name} has a setting"):
        config.parse(a_run(extra_body={name: 1}))


@pytest.fixture(name="secure")
def serve_tls(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A judge whose certificate nobody here has signed: its address and the certificate."""
    cert, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)

    class Judge(loopback.Quiet):
        def answer(self) -> None:
            self.content()
            self.reply(chat(scores()).body)

        do_POST = answer  # noqa: N815  http.server's name

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with loopback.serving(Judge, context) as url:
        yield f"{url}/v1", cert


def test_a_certificate_that_nobody_signed_is_told_and_trusted_by_its_file(
    secure: tuple[str, Path], files: Make, tmp_path: Path
) -> None:
    url, cert = secure
    with pytest.raises(JudgeError, match=r"no connection: .*[Cc]ertificate") as refused:
        check(settings_for(url, retries=2))
    assert "judge.ca_file" in refused.value.remedy
    assert "SSL_CERT_FILE" in refused.value.remedy
    settings = settings_for(url, ca_file=str(cert))
    check(settings)
    judge(*files(2), tmp_path / "v.jsonl", settings)
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\xff\xfe"])
def test_a_ca_file_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"ca\.pem"):
        check(settings_for("https://127.0.0.1:9/v1", ca_file=str(path)))


def test_the_answer_of_a_refused_stream_option_is_asked_without(
    files: Make, tmp_path: Path
) -> None:
    def handler(body: dict[str, Any]) -> Answer:
        if "stream_options" in body:
            return error(400, "Unrecognized request argument supplied: stream_options")
        return Answer(body=b"data: " + chat(scores()).body + b"\n\ndata: [DONE]\n\n")

    with serving(handler) as endpoint:
        judge(*files(2), tmp_path / "v.jsonl", settings_for(endpoint.url, stream=True))
    assert all(body["stream"] for body in endpoint.requests)
    assert all(row.values for row in verdicts(tmp_path / "v.jsonl").values())
