"""A result that was computed is not lost to a store that refuses it: before, during and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assay import store
from assay.errors import InputError, UnsentError
from assay.store import outage
from tests import faulty, minio
from tests.unit.store.time_of_its_own import Time

pytestmark = pytest.mark.usefixtures("nothing_known")

READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": ["arn:aws:s3:::*"]}
    ],
}
ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}],
}


@pytest.fixture
def let(
    bucket: str, server: minio.Minio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[object], None]:
    """Have the credentials in a file, as a Secret mounted into a pod is, allow what they are let:
    those of a session of MinIO with that policy."""
    import boto3

    sessions = boto3.client(
        "sts",
        endpoint_url=server.address,
        aws_access_key_id=minio.USER,
        aws_secret_access_key=minio.PASSWORD,
        region_name="us-east-1",
    )
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    def allow(policy: object) -> None:
        made = sessions.assume_role(
            RoleArn="arn:xxx:xxx:xxx:xxxx", RoleSessionName="test", Policy=json.dumps(policy)
        )["Credentials"]
        file.write_text(
            f"[default]\naws_access_key_id = {made['AccessKeyId']}\n"
            f"aws_secret_access_key = {made['SecretAccessKey']}\n"
            f"aws_session_token = {made['SessionToken']}\n"
        )

    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return allow


def test_a_read_only_bucket_is_waited_out(
    let: Callable[[object], None],
    bucket: str,
    folder: Path,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let(READ_ONLY)

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        if time.now >= 60:
            let(ALL)

    patience = outage.Patience(clock=lambda: time.now, sleep=wait)
    monkeypatch.setattr(outage, "patience", patience)
    sent = store.deliver(folder, f"{bucket}/model")
    assert sent.files == 3
    assert time.now == 60
    assert store.waited() == time.now
    told = capsys.readouterr().err.splitlines()
    assert "AccessDenied" in told[0]
    assert "waiting for it, 10:00 at most" in told[0]
    assert "does what it is asked again, after 1:0" in told[-1]


@pytest.mark.parametrize("wait_s", [0, 30])
def test_a_bucket_that_stays_read_only_costs_a_try_and_not_the_result(
    wait_s: float, let: Callable[[object], None], bucket: str, folder: Path, time: Time
) -> None:
    let(READ_ONLY)
    with store.waiting(store.StoreSettings(wait_s=wait_s)), pytest.raises(UnsentError) as caught:
        store.deliver(folder, f"{bucket}/model")
    assert time.now == wait_s
    assert caught.value.exit_code == 1  # so that Volcano tries again
    assert not isinstance(caught.value, InputError)
    assert "AccessDenied" in caught.value.what
    assert f"it is kept in {folder}" in caught.value.what
    assert "what the credentials may do" in caught.value.remedy
    assert (folder / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("AccessDenied", 403, "what the credentials may do"),
        ("ExpiredToken", 400, "new credentials"),
        ("InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY"),
        ("NoSuchBucket", 404, "make it"),
        ("RequestTimeTooSkewed", 403, "clock"),
        ("XMinioStorageFull", 507, "Make room"),
        ("XMinioAdminBucketQuotaExceeded", 400, "quota"),
        ("EntityTooLarge", 400, "larger objects"),
    ],
)
def test_each_refusal_has_its_remedy_at_once_but_for_a_result(
    code: str,
    status: int,
    remedy: str,
    bucket: str,
    time: Time,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (file := tmp_path / "file").write_bytes(b"content")
    short = store.waiting(store.StoreSettings(wait_s=30))
    with faulty.refusing(status, code) as (address, seen), store.relied_on(), short:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(InputError, match=code) as at_once:
            store.publish(file, f"{bucket}/key")
        assert (time.now, at_once.value.exit_code) == (0, 2)
        assert remedy in at_once.value.remedy
        asked = len(seen)
        with pytest.raises(UnsentError, match=code) as waited_for:
            store.deliver(file, f"{bucket}/key")
    assert time.now == 30
    assert len(seen) >= 4 + asked
    assert remedy in waited_for.value.remedy
    assert waited_for.value.exit_code == 1


def test_a_store_that_is_away_for_too_long_leaves_the_result_where_it_is(
    bucket: str, folder: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with store.relied_on(), pytest.raises(UnsentError, match="does not answer") as caught:
        store.deliver(folder, f"{bucket}/model", kept="what can be gone on from is in X")
    assert 600 <= time.now < 610
    assert "what can be gone on from is in X" in caught.value.what
    assert caught.value.exit_code == 1
