"""What carries a request to the judge's endpoint and its answer back: proxies, redirects,
encodings, and what goes along with each request."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assay import __version__
from assay.judge import contract, judge, verdicts
from assay.judge.rubric import load
from tests.faults.endpoint import Answer, chat, scores, serving
from tests.unit.judge.fake import settings_for

Make = Callable[[int], tuple[Path, Path]]
NOBODY = "http://127.0.0.1:9"
KEY = "k-0123456789"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_what_goes_with_each_request(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "me/1")
    with serving(lambda _: chat(scores())) as endpoint:
        asked = settings_for(endpoint.url, query={"v": "a b&c"}, headers={"USER-AGENT": "MINE"})
        judge(*files(1), tmp_path / "own.jsonl", asked)
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    own, usual = endpoint.headers
    assert (own["user-agent"], usual["user-agent"]) == ("me/1", f"assay/{__version__}")
    assert "authorization" not in own
    assert usual["authorization"] == "Bearer none"
    assert usual["content-type"] == usual["accept"] == "application/json"
    assert endpoint.paths[0] in (
        "/v1/chat/completions?v=a+b%26c",
        "/v1/chat/completions?v=a%20b%26c",
    )


PROXIED: dict[str, tuple[dict[str, str], bool]] = {
    "that of the scheme": ({"HTTP_PROXY": "{proxy}"}, True),
    "in small letters": ({"http_proxy": "{proxy}"}, True),
    "without a scheme": ({"http_proxy": "{place}"}, True),
    "one for all": ({"ALL_PROXY": "{proxy}"}, True),
    "with others left out": ({"http_proxy": "{proxy}", "no_proxy": "other.example"}, True),
    "of another scheme": ({"https_proxy": NOBODY}, False),
    "left out by its host": ({"http_proxy": NOBODY, "no_proxy": "localhost,127.0.0.1"}, False),
    "left out with its port": ({"http_proxy": NOBODY, "no_proxy": "{place}"}, False),
    "none at all": ({"all_proxy": NOBODY, "no_proxy": "*"}, False),
}


@pytest.mark.parametrize(("environment", "through"), PROXIED.values(), ids=PROXIED)
def test_the_proxy_of_the_environment_is_asked(
    environment: dict[str, str],
    through: bool,
    files: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(lambda _: chat(scores())) as server:
        proxy = server.url.removesuffix("/v1")
        for name, value in environment.items():
            place = proxy.removeprefix("http://")
            monkeypatch.setenv(name, value.format(proxy=proxy, place=place))
        url = "http://judge.example/v1" if through else server.url
        judge(*files(1), tmp_path / "v.jsonl", settings_for(url))
    start = "http://judge.example" if through else ""
    assert server.paths == [f"{start}/v1/chat/completions"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_is_followed_and_the_key_stays_behind(
    status: int, files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(lambda _: chat(scores())) as other:
        leads = Answer(status=status, headers={"Location": f"{other.url}/chat/completions"})
        with serving(lambda _: leads) as endpoint:
            settings = settings_for(endpoint.url, api_key_env="MY_KEY")
            judge(*files(1), tmp_path / "v.jsonl", settings)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert other.requests == endpoint.requests
    assert KEY not in str(other.headers)
    assert verdicts(tmp_path / "v.jsonl")["s0"].values


@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_encoded_answer_is_read(
    encoding: str, encode: Callable[[bytes], bytes], status: int, files: Make, tmp_path: Path
) -> None:
    body = chat(scores()).body if status == 200 else b'{"error": {"message": "no such thing"}}'
    answer = Answer(status=status, headers={"Content-Encoding": encoding}, body=encode(body))
    with serving(lambda _: answer) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", settings_for(endpoint.url))
    row = verdicts(tmp_path / "v.jsonl")["s0"]
    assert bool(row.values) == (status == 200)
    assert ("no such thing" in row.commentary) == (status == 400)


def test_what_is_made_once_a_rubric_is_made_for_each_rubric() -> None:
    rubric = load("default-en")
    name, levels = next(iter(rubric.dimensions.items()))
    others = {name: {level: f"{level}!" for level in levels}}
    changed = replace(rubric, dimensions={**rubric.dimensions, **others})
    narrower = replace(rubric, scale=rubric.scale[1:])
    assert hash(changed) == hash(rubric) == hash(narrower)
    assert len({contract.constant(each) for each in (rubric, changed, narrower)}) == 3
    assert contract.schema(changed) == contract.schema(rubric) != contract.schema(narrower)
