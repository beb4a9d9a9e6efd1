"""What goes wrong between us and a store: each fault is survived or named, with a remedy."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from assay import store
from assay.errors import InputError, StoreError
from assay.store import checksums
from tests import faulty, minio
from tests.needs import need

FLIP = bytes.maketrans(bytes(range(256)), bytes(reversed(range(256))))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def fails(uri: str, file: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        store.publish(file, uri)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    assert minio.PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("variable", "value", "what", "remedy"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_ACCESS_KEY_ID", "nobody", "InvalidAccessKeyId", "Check AWS_ACCESS_KEY_ID"),
        ("AWS_SESSION_TOKEN", "stale", "InvalidTokenId", "AWS_SESSION_TOKEN"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", "does not answer", "AWS_ENDPOINT_URL_S3"),
        ("AWS_ENDPOINT_URL_S3", "nonsense", "nonsense", "AWS_ENDPOINT_URL_S3"),
        ("AWS_ENDPOINT_URL_S3", "", "is not set", "MinIO's address"),
        ("AWS_CA_BUNDLE", "/nowhere/ca.pem", "/nowhere/ca.pem", "PEM"),
    ],
)
def test_wrong_environment(
    variable: str,
    value: str,
    what: str,
    remedy: str,
    bucket: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    error = fails(f"{bucket}/key", file)
    assert what in error.what
    assert remedy in error.remedy


def test_no_credentials(bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    assert "no credentials" in fails(f"{bucket}/key", file).what


def test_wrong_bucket(bucket: str, file: Path) -> None:
    assert "NoSuchBucket" in fails("minio://no-such-bucket/key", file).what
    with pytest.raises(StoreError, match="NoSuchBucket"):
        store.exists("minio://no-such-bucket/key")


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://b/../key", "s3://B_/k"]
)
def test_impossible_uri(uri: str, bucket: str, file: Path) -> None:
    assert "s3://" in str(fails(uri, file))


def test_absent_artifact(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        store.fetch(f"{bucket}/nothing", tmp_path)


def test_clock_that_differs(bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    for signer in ("botocore.auth", "botocore.crt.auth"):  # which one signs depends on awscrt
        monkeypatch.setattr(f"{signer}.get_current_datetime", lambda **_: late)
    error = fails(f"{bucket}/key", file)
    assert "RequestTimeTooSkewed" in error.what
    assert "clock" in error.remedy


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (400, "ExpiredToken", "new credentials"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (507, "XMinioStorageFull", "Make room in the store"),
        (403, "AccessDenied", "credentials may do"),
        (503, "SlowDown", "Try again"),
    ],
)
def test_store_that_refuses(
    status: int, code: str, remedy: str, bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty.refusing(status, code) as (address, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(StoreError) as caught:
            store.fetch(f"{bucket}/key", file.parent / "here")
    assert remedy in caught.value.remedy
    assert len(seen) <= 5


def test_passing_trouble_is_retried(
    bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty.refusing(503, "SlowDown", times=3) as (address, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        assert store.publish(file, f"{bucket}/key").sent == 7
    assert len(seen) >= 4


def test_cut_connections_are_taken_up_again(
    bucket: str, folder: Path, tmp_path: Path, server: minio.Minio, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(folder, f"{bucket}/model")
    passed: dict[int, int] = {}

    def cut(connection: int, data: bytes) -> bytes | None:
        passed[connection] = passed.get(connection, 0) + len(data)
        return None if passed[connection] > 5 << 20 and connection <= 3 else data

    with faulty.proxy(server.address, cut) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        copy = store.fetch(f"{bucket}/model", tmp_path / "here")
    weights = "model.safetensors"
    assert (copy / weights).read_bytes() == (folder / weights).read_bytes()
    assert max(passed.values()) > 5 << 20


def test_bytes_changed_on_the_way_are_noticed(
    bucket: str, folder: Path, tmp_path: Path, server: minio.Minio, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(folder, f"{bucket}/model")

    def flip(connection: int, data: bytes) -> bytes:
        return data if data.startswith(b"HTTP/") else data.translate(FLIP)

    with faulty.proxy(server.address, flip) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(StoreError, match=r"model.safetensors is damaged"):
            store.fetch(f"{bucket}/model", tmp_path / "here")
    assert not (tmp_path / "here/model").exists()


def test_bytes_changed_on_the_way_up_are_refused_by_the_store(
    bucket: str, folder: Path, server: minio.Minio, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = checksums.digest_of
    wrong = "assay.store.upload.digest_of"
    monkeypatch.setattr(wrong, lambda name, data: right(name, data + b"x"))
    error = fails(f"{bucket}/key", folder / "config.json")
    assert "Checksum" in error.what


def test_no_room_here(bucket: str, folder: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    store.publish(folder, f"{bucket}/model")
    script = (
        "import resource, sys; from pathlib import Path; from assay import store, errors\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try: store.fetch(sys.argv[1], Path(sys.argv[2]))\n"
        "except errors.StoreError as error: print(error); sys.exit(error.exit_code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, f"{bucket}/model", str(tmp_path / "here")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "cannot be written" in ended.stdout
    assert "Make room" in ended.stdout


def certify(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority, as MinIO wants it."""
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "private.key"), "-out", str(folder / "public.crt")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        need(False, "needs openssl: apt-get install openssl")
    return folder


def test_tls(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.store import s3

    certificates = certify(tmp_path / "certificates")
    with minio.serve(tmp_path, certificates=certificates) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        error = fails("minio://bucket/key", file)
        assert "certificate is not trusted" in error.what
        assert "AWS_CA_BUNDLE" in error.remedy
        plain = server.address.replace("https", "http")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", plain)
        assert "AWS_ENDPOINT_URL_S3" in fails("minio://bucket/key", file).remedy
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates / "public.crt"))
        s3.client("minio").create_bucket(Bucket="bucket")
        store.publish(file, "minio://bucket/key")
        assert store.fetch("minio://bucket/key", tmp_path / "here").read_bytes() == b"content"


def test_without_boto3_the_extra_is_named(
    bucket: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setenv("AWS_REGION", "not-seen-yet")
    with pytest.raises(InputError, match=r"assay\[store\]"):
        store.publish(file, f"{bucket}/key")
