"""What is wrong with a store, as the commands say it: one line, exit code 2, nothing begun."""

from __future__ import annotations

import datetime
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import store
from assay.cli.main import main
from tests import faulty, minio
from tests.unit.store.test_faults import certify

DATA = [{"instruction": f"Say {word}.", "output": f"{word}!"} for word in ("Hi", "Ho")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture(name="data")
def make_data(tmp_path: Path) -> Path:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(DATA))
    return path


def configuration(folder: Path, **settings: Any) -> str:
    path = folder / "config.yaml"
    values = {"mode": "auto", "dataset": {"eval": "data.json"}, "model": "nobody/model", **settings}
    path.write_text(yaml.safe_dump(values))
    return str(path)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("assay: ")
    assert minio.PASSWORD not in line
    return line


WRONG = [
    ("AWS_SECRET_ACCESS_KEY", "wrong", "Check AWS_SECRET_ACCESS_KEY"),
    ("AWS_ACCESS_KEY_ID", "nobody", "Check AWS_ACCESS_KEY_ID"),
    ("AWS_SESSION_TOKEN", "stale", "Check AWS_SESSION_TOKEN"),
    ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", "Check AWS_ENDPOINT_URL_S3"),
    ("AWS_ENDPOINT_URL_S3", "", "Set it to MinIO's address"),
    ("AWS_CA_BUNDLE", "/nowhere/ca.pem", "Name the CA's PEM file"),
]


@pytest.mark.parametrize(("variable", "value", "remedy"), WRONG)
def test_a_wrong_environment_is_named_by_every_command(
    variable: str,
    value: str,
    remedy: str,
    bucket: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    uri = f"{bucket}/x"
    config = configuration(tmp_path)
    model = configuration(tmp_path, model=uri)
    for arguments in (
        ["dataset", "check", uri],
        ["run", config, "--out", uri],
        ["report", uri],
        ["metrics", uri],
        ["run", model, "--out", str(tmp_path / "run")],
    ):
        assert remedy in said(arguments, capsys)


@pytest.mark.parametrize(
    "uri", ["minio://no-such-bucket/x", "s3://", "minio://bucket", "s3://b/../k"]
)
def test_a_place_that_cannot_be_is_named(
    uri: str, bucket: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["dataset", "check", uri],
        ["run", configuration(tmp_path), "--out", uri],
        ["run", configuration(tmp_path, model=uri), "--out", str(tmp_path / "run")],
    ):
        assert uri.rstrip("/") in said(arguments, capsys)


def test_what_is_not_there_is_named(
    bucket: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist" in said(["dataset", "check", f"{bucket}/gone.json"], capsys)
    model = configuration(tmp_path, model=f"{bucket}/gone")
    assert "is not there" in said(["run", model, "--out", str(tmp_path / "run")], capsys)
    assert "does not exist" in said(["report", f"{bucket}/gone"], capsys)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (400, "ExpiredToken", "Get new credentials"),
        (403, "AccessDenied", "what the credentials may do"),
        (400, "AuthorizationHeaderMalformed", "Set AWS_REGION"),
        (507, "XMinioStorageFull", "Make room in the store"),
    ],
)
def test_a_store_that_refuses_is_named(
    status: int,
    code: str,
    remedy: str,
    bucket: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with faulty.refusing(status, code) as (address, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        assert remedy in said(["dataset", "check", f"{bucket}/data.json"], capsys)
        assert remedy in said(["run", configuration(tmp_path), "--out", f"{bucket}/x"], capsys)


def test_a_clock_that_differs_is_named(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    for signer in ("botocore.auth", "botocore.crt.auth"):
        monkeypatch.setattr(f"{signer}.get_current_datetime", lambda **_: late)
    assert "Set this machine's clock" in said(["dataset", "check", f"{bucket}/data.json"], capsys)


def test_a_certificate_that_is_not_trusted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates = certify(tmp_path / "certificates")
    with minio.serve(tmp_path, certificates=certificates) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        line = said(["dataset", "check", "minio://bucket/data.json"], capsys)
        assert "certificate is not trusted" in line
        assert "Set AWS_CA_BUNDLE" in line
        plain = server.address.replace("https", "http")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", plain)
        line = said(["dataset", "check", "minio://bucket/data.json"], capsys)
        assert "Check AWS_ENDPOINT_URL_S3" in line


def test_no_room_here_is_named(bucket: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    (tmp_path / "big.jsonl").write_text("\n".join(map(json.dumps, DATA * 40_000)))
    store.publish(tmp_path / "big.jsonl", f"{bucket}/big.jsonl")
    limit = 1 << 20
    ended = subprocess.run(
        [sys.executable, "-m", "assay", "dataset", "check", f"{bucket}/big.jsonl"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.splitlines()
    assert "cannot be written" in line
    assert "Make room" in line
