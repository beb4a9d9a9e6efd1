"""Where a judge is and what its key is: nothing secret in an address, no key to another server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import config
from assay.errors import InputError, JudgeError
from assay.judge import JudgeSettings, access, check, judge, judge_sides, remedies, verdicts
from assay.judge.access import Access
from assay.judge.seats import seats
from assay.judge.settings import Seat
from assay.kubeflow import connection
from assay.store import exists
from tests.faults.endpoint import Answer, chat, error, scores, serving

Make = Callable[[int], tuple[Path, Path]]

KEY = "sk-s3cr3t-0123456789"
LEAKS = (
    "https://user:s3cr3t@judge.example/v1",
    "https://s3cr3t@judge.example/v1",
    "https://judge.example/v1?api-key=s3cr3t",
    "https://judge.example/v1?s3cr3t",
    "https://judge.example/v1#s3cr3t",
    "user:s3cr3t@judge.example/v1",
    "https://user:s3/cr3t@judge.example/v1",
    "ftp://user:s3cr3t@judge.example",
)


@pytest.fixture(name="asked")
def make_settings(monkeypatch: pytest.MonkeyPatch) -> JudgeSettings:
    monkeypatch.setenv("ASSAY_JUDGE_API_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "k-of-the-other")
    return JudgeSettings(
        endpoint="https://judge.example/v1",
        model="fake",
        self_test=False,
        flip_sample=0,
        max_unscored=1.0,
    )


def a_run(**judge: Any) -> dict[str, Any]:
    asked = {"endpoint": "https://judge.example/v1", "model": "m"}
    return {"model": "a/b", "dataset": {"eval": "x.json"}, "judge": asked | judge}


@pytest.mark.parametrize("endpoint", LEAKS)
def test_an_endpoint_with_a_secret_is_refused_at_once_and_not_shown(
    endpoint: str, asked: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    seat = {"model": "n", "endpoint": endpoint}
    first = replace(asked, endpoint=endpoint)
    panel = replace(asked, panel=(Seat(model="n", endpoint=endpoint),))
    samples, predictions = files(1)
    for refused in (
        lambda: config.parse(a_run(endpoint=endpoint)),
        lambda: config.parse(a_run(panel=[seat])),
        lambda: check(first),
        lambda: check(panel),
        lambda: judge(samples, predictions, tmp_path / "v.jsonl", first),
        lambda: judge_sides(samples, {"candidate": predictions}, tmp_path, panel),
    ):
        with pytest.raises(InputError, match=r"judge\.(panel\.0\.)?endpoint holds") as caught:
            refused()
        for part in ("s3cr3t", "s3/cr3t", "cr3t@"):
            assert part not in str(caught.value)
        assert "environment variable" in caught.value.remedy
    assert not (tmp_path / "candidate").exists()


@pytest.mark.parametrize("endpoint", LEAKS[:6])
def test_so_is_that_of_kubeflow_pipelines(endpoint: str) -> None:
    with pytest.raises(InputError, match=r"connection\.endpoint holds") as refused:
        connection.load({"endpoint": endpoint})
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("endpoint", [LEAKS[0], LEAKS[2]])
def test_so_is_that_of_a_store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(InputError, match="AWS_ENDPOINT_URL_S3 holds") as refused:
        exists("s3://bucket/key")
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"history": "s3://id:s3cr3t@bucket/history"},
        {"dataset": {"eval": "s3://id:s3cr3t@bucket/x.json"}},
        {"model": "minio://id:s3cr3t@bucket/model"},
        {"judge": {"endpoint": "https://e/v1", "model": "m", "anchors": "s3://i:s3cr3t@b/a"}},
    ],
)
def test_no_address_in_a_configuration_holds_a_password(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="holds a user name or password") as refused:
        config.parse(a_run() | changed)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "judge.example/v1",
        "https://",
        "https://host:port/v1",
        "https://[::1/v1",
        "https://a b/v1",
        "https://host/v1\n",
        "https://ho\x1bst/v1",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(endpoint: str, asked: JudgeSettings) -> None:
    with pytest.raises(JudgeError, match="is no URL"):
        check(replace(asked, endpoint=endpoint))


@pytest.mark.parametrize(
    ("endpoint", "variable"),
    [
        ("", "ASSAY_JUDGE_API_KEY"),
        ("https://judge.example/v1", "ASSAY_JUDGE_API_KEY"),
        ("https://JUDGE.example/v1/", "ASSAY_JUDGE_API_KEY"),
        ("https://judge.example/other", ""),
        ("https://other.example/v1", ""),
        ("http://judge.example/v1", ""),
        ("https://judge.example:8000/v1", ""),
        ("https://judge.example.evil/v1", ""),
    ],
)
def test_the_first_judges_key_stays_at_its_server(
    endpoint: str, variable: str, asked: JudgeSettings
) -> None:
    (seat,) = seats(replace(asked, panel=(Seat(model="n", endpoint=endpoint),)))
    assert seat.api_key_env == variable
    own = Seat(model="n", endpoint=endpoint, api_key_env="OTHER_KEY")
    assert seats(replace(asked, panel=(own,)))[0].api_key_env == "OTHER_KEY"


def test_another_server_is_sent_its_own_key_or_none(
    asked: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(1)
    with (
        serving(lambda _: chat(scores())) as first,
        serving(lambda _: chat(scores())) as second,
        serving(lambda _: chat(scores())) as third,
    ):
        panel = (
            Seat(model="n", endpoint=second.url),
            Seat(model="o", endpoint=third.url, api_key_env="OTHER_KEY"),
            Seat(model="p"),
        )
        settings = replace(asked, endpoint=first.url, panel=panel)
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    sent = [[row["authorization"] for row in one.headers] for one in (first, second, third)]
    assert sent == [[f"Bearer {KEY}"] * 2, ["Bearer none"], ["Bearer k-of-the-other"]]


def test_a_seat_that_lacks_its_key_is_told_what_to_name(asked: JudgeSettings) -> None:
    with serving(lambda _: error(401, "who?"), models=("n",)) as second:
        settings = replace(asked, endpoint=second.url, model="n", api_key_env="")
        with pytest.raises(JudgeError) as refused:
            check(settings)
    assert "Name the environment variable of a key" in refused.value.remedy


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("sk-12\n34", "character 6 is U+000A"),
        ("sk-12\r\n34", "character 6 is U+000D"),
        ("\u201csk-1234\u201d", "character 1 is LEFT DOUBLE QUOTATION MARK"),
        ("sk-12\u200b34", "character 6 is ZERO WIDTH SPACE"),
        ("sk-12\t34", "character 6 is U+0009"),
        ("sk-\u041234", "character 4 is CYRILLIC CAPITAL LETTER VE"),
        ("sk-12\udcff34", "character 6 is U+DCFF"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_in_one_line(
    key: str, told: str, asked: JudgeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_JUDGE_API_KEY", key)
    with pytest.raises(JudgeError, match="ASSAY_JUDGE_API_KEY cannot be sent") as refused:
        check(asked)
    line = str(refused.value)
    assert told in line
    assert "34" not in line
    assert "\n" not in line


def test_a_key_with_space_around_it_is_sent_without(
    asked: JudgeSettings, files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_JUDGE_API_KEY", f" {KEY}\n")
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(1), tmp_path / "v.jsonl", replace(asked, endpoint=endpoint.url))
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("where", ["judge", "panel"])
def test_a_key_in_place_of_its_variables_name_is_not_shown(
    where: str, asked: JudgeSettings
) -> None:
    seat = {"model": "n", "api_key_env": KEY}
    values = a_run(api_key_env=KEY) if where == "judge" else a_run(panel=[seat])
    with pytest.raises(JudgeError, match="is not the name of an environment variable") as refused:
        config.parse(values)
    assert "s3cr3t" not in str(refused.value)
    with pytest.raises(JudgeError) as refused:
        check(replace(asked, api_key_env=KEY))
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        chat(None, refusal=f"No: {KEY}"),
        chat(scores().replace("Right", f"The key is {KEY}")),
        chat(f"The key is {KEY}"),
        error(400, "x" * 290 + KEY),
        error(401, f"bad key {KEY}"),
        error(500, f"{KEY} failed"),
        Answer(body=f"<html>{KEY}".encode()),
    ],
)
def test_a_key_that_the_endpoint_quotes_is_not_kept(
    answer: Answer, asked: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: answer) as endpoint:
        judge(*files(1), out, replace(asked, endpoint=endpoint.url, retries=0))
    assert "s3cr3t" not in out.read_text()
    assert "sk-s" not in out.read_text()
    assert verdicts(out)["s0"].commentary


def test_a_judge_without_a_key_is_quoted_whole(
    asked: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: error(400, "none of these")) as endpoint:
        settings = replace(asked, endpoint=endpoint.url, api_key_env="", retries=0)
        judge(*files(1), out, settings)
    assert "none of these" in verdicts(out)["s0"].commentary


@pytest.fixture(name="pod")
def pod_of_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is a task in the namespace team, and its judge's Secret is my-judge."""
    namespace = tmp_path / "namespace"
    namespace.write_text("team\n")
    monkeypatch.setattr(access, "NAMESPACE", namespace)
    monkeypatch.setenv(access.SECRET, "my-judge")
    for variable in access.JUDGE_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        (
            {},
            "Set the entry api-key of the Secret my-judge in namespace team (kubectl -n team "
            "create secret generic my-judge --from-file=api-key=FILE)",
        ),
        (
            {"api_key_env": "", "headers": {"x-key": "ASSAY_JUDGE_HEADER_2"}},
            "Set the entry header-2 of the Secret my-judge in namespace team (kubectl -n team "
            "create secret generic my-judge --from-file=header-2=FILE)",
        ),
        (
            {"api_key_env": "MY_KEY"},
            "A pipeline gives its judge ASSAY_JUDGE_API_KEY, ASSAY_JUDGE_HEADER_1, "
            "ASSAY_JUDGE_HEADER_2, from the Secret my-judge: name one of them",
        ),
    ],
)
def test_in_a_pipeline_the_secret_is_named(settings: dict[str, Any], remedy: str) -> None:
    given = JudgeSettings(endpoint="https://judge.example/v1", model="m", **settings)
    with pytest.raises(JudgeError) as refused:
        Access.of(given)
    assert refused.value.remedy.startswith(remedy)
    assert "export" not in refused.value.remedy


@pytest.mark.usefixtures("pod")
def test_in_a_pipeline_a_key_that_is_refused_is_looked_for_in_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = JudgeSettings(endpoint="https://judge.example/v1", model="m")
    place = "the entry api-key of the Secret my-judge in namespace team"
    told = remedies.remedy(given, "auth", "HTTP 401", [])
    assert told == f"Set {place} to a key that this endpoint accepts"
    monkeypatch.setenv(given.api_key_env, "a\nkey")
    with pytest.raises(JudgeError, match=f"Set {place} to the key alone"):
        Access.of(given)


@pytest.mark.parametrize("missing", ["namespace", "secret"])
def test_elsewhere_the_variable_is_named(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kfp.local hands the Secret's name over too, and a pod may be none of a pipeline."""
    namespace = tmp_path / "namespace"
    if missing == "secret":
        namespace.write_text("team")
    else:
        monkeypatch.setenv(access.SECRET, "my-judge")
    monkeypatch.setattr(access, "NAMESPACE", namespace)
    monkeypatch.delenv("ASSAY_JUDGE_API_KEY", raising=False)
    given = JudgeSettings(endpoint="https://judge.example/v1", model="m")
    with pytest.raises(JudgeError, match=r"export ASSAY_JUDGE_API_KEY=\.\.\., or set"):
        Access.of(given)
    told = remedies.remedy(given, "auth", "HTTP 401", [])
    assert told.startswith("Set the environment variable ASSAY_JUDGE_API_KEY to a key")
