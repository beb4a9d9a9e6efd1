"""Where KFP is, how it is signed in to, and one clear line for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.cli.main import main
from assay.errors import InputError
from assay.kubeflow import client, connection
from assay.kubeflow.connection import Connection
from tests.kfp.kfp_server import KfpServer
from tests.loopback import free_address

SECRET = "s3cr3t-t0ken"


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main(list(command)) == 2
    error = capsys.readouterr().err
    assert error.startswith("assay: ")
    assert len(error.splitlines()) == 1, error
    assert "Traceback" not in error
    assert SECRET not in error
    return error


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kfp.yaml"
    file.write_text("endpoint: http://file\nnamespace: file\nexperiment: file\nverify_tls: false")
    monkeypatch.setenv("ASSAY_KFP_NAMESPACE", "environment")
    monkeypatch.setenv("ASSAY_KFP_ENDPOINT", "http://environment")
    found = connection.load({"endpoint": "http://flag", "namespace": None}, file)
    assert found == Connection(
        endpoint="http://flag", namespace="environment", experiment="file", verify_tls=False
    )


def test_the_users_own_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "home" / "assay" / "kfp.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("endpoint: http://mine")
    assert connection.load({}).endpoint == "http://mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpont: x", "Did you mean endpoint?"),
        (f"token: {SECRET}", "looks like a secret"),
        ("verify_tls: maybe", "verify_tls"),
        ("- 1", "not a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "kfp.yaml").write_text(text)
    assert message in refused(capsys, "status", "x", "--connection", str(tmp_path / "kfp.yaml"))


def test_a_token_comes_from_the_environment_or_a_file(
    server: KfpServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.token = SECRET
    error = refused(capsys, "status", "x")
    assert "missing or expired" in error
    assert "ASSAY_KFP_TOKEN" in error
    monkeypatch.setenv("ASSAY_KFP_TOKEN", f"{SECRET}-of-yesterday")
    assert "missing or expired" in refused(capsys, "status", "x")
    monkeypatch.setenv("ASSAY_KFP_TOKEN", SECRET)
    assert "there is no run x" in refused(capsys, "status", "x")
    monkeypatch.delenv("ASSAY_KFP_TOKEN")
    (tmp_path / "token").write_text(f"{SECRET}\n")
    reached = client.connect(Connection(endpoint=server.url, token_file=str(tmp_path / "token")))
    assert reached.call("pipelines", reached.client.pipelines.pipeline_service_list_pipelines)


def test_a_session_cookie_comes_from_the_environment(
    server: KfpServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cookie = f"authservice_session={SECRET}"
    assert "ASSAY_KFP_COOKIES" in refused(capsys, "status", "x")
    monkeypatch.setenv("ASSAY_KFP_COOKIES", server.cookie)
    assert "there is no run x" in refused(capsys, "status", "x")


def test_no_endpoint_at_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no endpoint of Kubeflow Pipelines is set" in refused(capsys, "status", "x")


@pytest.mark.parametrize("address", ["kfp.example", "ftp://kfp.example", "http://"])
def test_an_endpoint_that_is_no_address_is_refused(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is no http address" in refused(capsys, "status", "x", "--endpoint", address)


def test_a_wrong_endpoint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    address = free_address()
    error = refused(capsys, "status", "x", "--endpoint", address)
    assert f"{address} cannot be reached" in error
    assert "Connection refused" in error


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b'{"status": "ok"}', b"[]"])
def test_another_service_or_a_sign_in_page_is_named(
    server: KfpServer, capsys: pytest.CaptureFixture[str], page: bytes
) -> None:
    server.page = page
    assert "not as Kubeflow Pipelines 2 does" in refused(capsys, "status", "x")


@pytest.mark.parametrize(
    ("where", "status", "told", "message"),
    [
        ("GET /apis/v2beta1/healthz", 404, "Not Found", "its health"),
        ("GET /apis/v2beta1/pipelines", 403, "User is not authorized", "forbids pipelines"),
        ("GET /apis/v2beta1/experiments", 404, "namespace not found", "namespace not found"),
        (
            "POST /apis/v2beta1/runs",
            500,
            "boom\nstack of Go",
            "refused the run nightly (500): boom",
        ),
        ("POST /apis/v2beta1/runs", 400, "bad parameter", "refused the run nightly (400)"),
    ],
)
def test_a_refusal_is_one_line_with_its_reason(
    server: KfpServer,
    config_file: Path,
    capsys: pytest.CaptureFixture[str],
    where: str,
    status: int,
    told: str,
    message: str,
) -> None:
    server.refuse[where] = (status, told)
    assert message in refused(capsys, "submit", str(config_file))
    assert server.runs == {}


def test_many_users_need_a_namespace(server: KfpServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.multi_user, server.namespaces = True, {"team"}
    assert "--namespace" in refused(capsys, "status", "x")
    assert "there is no run" in refused(capsys, "status", "x", "--namespace", "team")


@pytest.mark.parametrize(
    "command", [["submit"], ["submit", "--once"], ["schedule", "apply"]], ids=" ".join
)
def test_one_of_many_users_stays_in_a_namespace(
    server: KfpServer,
    config_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    server.multi_user, server.namespaces = True, {"team"}
    file = config_file
    if command[0] == "schedule":
        file = config_file.with_name("schedule.yaml")
        file.write_text(f"name: nightly\ncron: 0 2 * * *\nconfig: {config_file.name}\n")
    monkeypatch.setenv("ASSAY_KFP_NAMESPACE", "others")
    assert "namespace others" in refused(capsys, *command, str(file))
    assert server.runs == server.recurring == {}
    monkeypatch.setenv("ASSAY_KFP_NAMESPACE", "team")
    for _ in range(2):
        assert main([*command, str(file)]) == 0
    assert {one["namespace"] for one in server.experiments.values()} == {"team"}
    for run in server.runs.values():
        assert main(["status", run["run_id"]]) == 4  # it has not ended
        assert main(["cancel", run["run_id"]]) == 0
    assert main(["schedule", "list"]) == 0
    assert {one["namespace"] for one in server.recurring.values()} <= {"team"}


def test_a_token_file_that_is_not_there_is_refused(server: KfpServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        client.connect(Connection(endpoint=server.url, token_file=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("is_page", "ui", "base"),
    [
        (True, "", "{server}"),
        (False, "", "<KFP's page: set ui, or ASSAY_KFP_UI>"),  # the API server's own port
        (False, "https://kfp.example/pipeline/", "https://kfp.example/pipeline"),
        (True, "https://kfp.example", "https://kfp.example"),
    ],
)
def test_a_link_leads_to_the_page_and_never_to_the_api(
    server: KfpServer, is_page: bool, ui: str, base: str
) -> None:
    server.is_page = is_page
    kfp = client.connect(Connection(endpoint=server.url, ui=ui))
    for _ in range(3):
        assert kfp.link("runs/details/r") == f"{base.format(server=server.url)}/#/runs/details/r"
    assert [path for _, _, path in server.asked].count("/") == (0 if ui else 1)
