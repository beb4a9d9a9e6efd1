"""The user that the overlay `minio` makes may do all that runs do in the bucket, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from assay import store
from assay.demo import minio_server
from assay.errors import StoreError
from assay.store import s3
from tests import minio

SCRIPT = Path(__file__).parents[2] / "manifests/overlays/minio/user.py"
ROOT = {"MINIO_ROOT_USER": minio.USER, "MINIO_ROOT_PASSWORD": minio.PASSWORD}
USER = {"AWS_ACCESS_KEY_ID": "runs-user", "AWS_SECRET_ACCESS_KEY": "secret-of-the-runs"}
OTHER = "not-assay"
Ask = Callable[[Any], object]


def make_user(server: minio.Minio, **changed: str) -> subprocess.CompletedProcess[str]:
    """Do what the overlay's Job does."""
    environment = {**os.environ, **server.environment, **ROOT, **USER, **changed}
    return subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module", name="made")
def server_with_a_user(server: minio.Minio) -> minio.Minio:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        for bucket in ("assay", OTHER):
            s3.client("minio").create_bucket(Bucket=bucket)
        s3.client("minio").put_object(Bucket=OTHER, Key="key", Body=b"theirs")
    for _ in range(2):  # applied again, it is no error
        done = make_user(server)
        assert done.returncode == 0, done.stderr
    assert USER["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    return server


@pytest.fixture(name="client")
def client_of_the_user(made: minio.Minio, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {**made.environment, **USER}.items():
        monkeypatch.setenv(name, value)
    return s3.client("minio")


def test_it_may_do_what_runs_do_in_the_bucket(client: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(os.urandom(20 << 20))  # of several parts
    uri = "minio://assay/models/tuned"
    store.publish(folder, uri)
    assert {"config.json", "model.safetensors"} <= set(store.listed(uri))
    assert store.fetch(uri, tmp_path / "back").is_dir()
    with store.mirrored("minio://assay/runs/1") as mirror:  # which holds a lock in the store
        (mirror.folder / "report.json").write_text("{}")
    begun = client.create_multipart_upload(Bucket="assay", Key="cut-off")["UploadId"]
    uploads = client.list_multipart_uploads(Bucket="assay", Prefix="cut-off")["Uploads"]
    assert [upload["UploadId"] for upload in uploads] == [begun]
    client.list_parts(Bucket="assay", Key="cut-off", UploadId=begun)
    client.abort_multipart_upload(Bucket="assay", Key="cut-off", UploadId=begun)
    client.delete_object(Bucket="assay", Key="models/tuned/config.json")
    client.get_bucket_location(Bucket="assay")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_object(Bucket=OTHER, Key="key"),
        lambda client: client.put_object(Bucket=OTHER, Key="new", Body=b""),
        lambda client: client.delete_object(Bucket=OTHER, Key="key"),
        lambda client: client.list_objects_v2(Bucket=OTHER),
        lambda client: client.create_bucket(Bucket="one-more"),
        lambda client: client.delete_bucket(Bucket="assay"),
        lambda client: client.put_bucket_versioning(
            Bucket="assay", VersioningConfiguration={"Status": "Enabled"}
        ),
        lambda client: client.put_bucket_policy(Bucket="assay", Policy="{}"),
        lambda client: client.get_bucket_policy(Bucket="assay"),
    ],
)
def test_it_may_do_nothing_else(client: Any, ask: Ask) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        ask(client)


def test_it_can_make_no_user(made: minio.Minio) -> None:
    keys = {
        "MINIO_ROOT_USER": USER["AWS_ACCESS_KEY_ID"],
        "MINIO_ROOT_PASSWORD": USER["AWS_SECRET_ACCESS_KEY"],
    }
    done = make_user(made, AWS_ACCESS_KEY_ID="another", **keys)
    assert done.returncode == 1
    assert "AccessDenied" in done.stderr


def test_keys_that_were_the_roots_go_on_as_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a MinIO that was brought up when there was one pair of keys for all: its data are read."""
    uri, path = "minio://assay/of/earlier", tmp_path / "file"
    path.write_text("of earlier")
    with minio.serve(tmp_path / "minio") as old:
        for name, value in old.environment.items():
            monkeypatch.setenv(name, value)
        store.make_bucket("minio://assay")
        store.publish(path, uri)
    monkeypatch.setattr(minio_server, "USER", "root-of-now")
    monkeypatch.setattr(minio_server, "PASSWORD", "secret-of-the-root")
    with minio.serve(tmp_path / "minio") as now:
        keys = {name: value for name, value in old.environment.items() if "KEY" in name}
        root = {"MINIO_ROOT_USER": "root-of-now", "MINIO_ROOT_PASSWORD": "secret-of-the-root"}
        done = make_user(now, **root, **keys)
        assert done.returncode == 0, done.stderr
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", now.address)
        assert store.fetch(uri, tmp_path / "back").read_text() == "of earlier"
        with pytest.raises(StoreError, match="AccessDenied"):
            store.make_bucket("minio://one-more")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"MINIO_ROOT_PASSWORD": "wrong-password"}, "SignatureDoesNotMatch"),
        ({"MINIO_ROOT_USER": "nobody"}, "InvalidAccessKeyId"),
        ({"AWS_ACCESS_KEY_ID": minio.USER}, "not allowed to be same as admin access key"),
        ({"AWS_SECRET_ACCESS_KEY": "short"}, "MinIO refuses users: check the keys in store.env"),
    ],
)
def test_what_minio_refuses_is_said(
    made: minio.Minio, changed: dict[str, str], message: str
) -> None:
    done = make_user(made, **changed)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
