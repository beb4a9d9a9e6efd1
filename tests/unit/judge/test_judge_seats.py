"""What a seat of a panel sends: of the first judge's, at another endpoint nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import JudgeError
from assay.judge import check, judge_sides
from assay.judge.seats import seats
from assay.judge.settings import Seat
from tests.faults.endpoint import chat, scores, serving
from tests.unit.judge.conftest import Make
from tests.unit.judge.fake import settings_for

FIRST = "https://judge.example/v1"
KEY = "first-judges-own-value"
# of the first judge, whatever it is that tells who asks
ITS_OWN = {
    "api_key_env": "FIRST_KEY",
    "headers": {"x-first": "FIRST_HEADER"},
    "query": {"tenant": "first"},
    "extra_body": {"route": "first"},
}
OTHERS = {
    "another host": "https://other.example/v1",
    "a host below it": "https://a.judge.example/v1",
    "a host above it": "https://example/v1",
    "a host that begins alike": "https://judge.example.other/v1",
    "another port": "https://judge.example:8443/v1",
    "another scheme": "http://judge.example/v1",
    "another path": "https://judge.example/v2",
    "another customer's path": "https://judge.example/team-b/v1",
    "a path below it": "https://judge.example/v1/openai",
    "a path above it": "https://judge.example",
    "a path in other letters": "https://judge.example/V1",
}
SAME = {
    "none of its own": "",
    "the same": FIRST,
    "a slash behind it": f"{FIRST}/",
    "its host in other letters": "https://JUDGE.example/v1",
}


def seat_at(endpoint: str, **own: Any) -> dict[str, Any]:
    settings = settings_for(FIRST, **ITS_OWN, panel=(Seat(model="n", endpoint=endpoint, **own),))
    (seat,) = seats(settings)
    return {name: getattr(seat, name) for name in ITS_OWN}


@pytest.mark.parametrize("endpoint", OTHERS.values(), ids=OTHERS)
def test_at_another_endpoint_a_seat_has_nothing_of_the_first_judge(endpoint: str) -> None:
    nothing = {"api_key_env": "", "headers": {}, "query": {}, "extra_body": {}}
    assert seat_at(endpoint) == nothing
    for name, value in ITS_OWN.items():  # and what it names itself brings nothing else with it
        assert seat_at(endpoint, **{name: value}) == nothing | {name: value}


@pytest.mark.parametrize("endpoint", SAME.values(), ids=SAME)
def test_at_the_same_endpoint_a_seat_is_asked_as_the_first_judge(endpoint: str) -> None:
    assert seat_at(endpoint) == ITS_OWN
    assert seat_at(endpoint, api_key_env="")["api_key_env"] == ""


@pytest.mark.parametrize("path", ["/v2", "/team-b/v1"])
def test_no_request_to_another_path_has_the_first_judges_key(
    path: str, files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST_KEY", KEY)
    monkeypatch.setenv("FIRST_HEADER", KEY)
    samples, predictions = files(2)
    with serving(lambda _: chat(scores())) as endpoint:
        seat = Seat(model="n", endpoint=endpoint.url.removesuffix("/v1") + path)
        settings = settings_for(endpoint.url, **ITS_OWN, panel=(seat,))
        check(settings, samples)
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    sent = list(zip(endpoint.paths, endpoint.headers, endpoint.requests, strict=True))
    others = [(where, headers, body) for where, headers, body in sent if where.startswith(path)]
    assert (len(sent), len(others)) == (6, 3)
    for where, headers, body in others:
        assert KEY not in str(headers)
        assert "first" not in where + str(body.get("route"))


def test_no_judge_sits_twice_by_another_spelling() -> None:
    settings = settings_for(FIRST, panel=(Seat(model="fake", endpoint=f"{FIRST}/"),))
    with pytest.raises(JudgeError, match="sits there twice"):
        seats(settings)
