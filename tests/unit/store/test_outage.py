"""A store that stops answering is waited for, in a time of the tests' own; one that never answered,
or that refuses, is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from assay import finetune, model, progress, store
from assay.errors import InputError, StoreError, StoreUnavailableError
from assay.folder import TRAIN_LOG
from assay.records import Message, Sample
from assay.store import checksums, outage, s3
from tests import faulty, minio
from tests.models import LORA, safetensors
from tests.unit.store.time_of_its_own import Time

NOWHERE = "http://127.0.0.1:9"
NOT_S3 = "another server"

pytestmark = pytest.mark.usefixtures("nothing_known")


@pytest.fixture
def proxied(
    bucket: str, server: minio.Minio, time: Time, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A bucket of a store that has answered and whose answers are lost while it is `time.away`."""
    with faulty.proxy(server.address, lambda _, data: None if time.away.is_set() else data) as at:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", at)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert not store.exists(f"{bucket}/model")
        yield bucket


def test_a_minute_without_answers_is_borne(
    proxied: str, folder: Path, tmp_path: Path, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    time.away.set()
    time.back = 60
    store.publish(folder, f"{proxied}/model")
    assert 60 <= time.now < 600
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "the store does not answer: waiting for it, 10:00 at most"
    assert said[-1] == "the store does what it is asked again, after 1:00"
    assert 3 <= len(said) <= 8
    assert store.waited() == 60
    time.away.set()
    time.back = time.now + 60
    copy = store.fetch(f"{proxied}/model", tmp_path / "here")
    weights = "model.safetensors"
    assert (copy / weights).read_bytes() == (folder / weights).read_bytes()


@pytest.mark.parametrize("lost_after", [b"CompleteMultipartUploadResult", b"<InitiateMultipart"])
def test_an_answer_that_is_lost_after_the_deed(
    lost_after: bytes,
    bucket: str,
    server: minio.Minio,
    folder: Path,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[int] = []

    def spoil(connection: int, data: bytes) -> bytes | None:
        if lost_after in data and not lost:
            lost.append(connection)
            return None
        return data

    with faulty.proxy(server.address, spoil) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        sent = store.publish(folder, f"{bucket}/model")
    assert lost
    assert sent.bytes == sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def test_waiting_has_an_end_that_is_not_the_users_fault(
    proxied: str, folder: Path, time: Time
) -> None:
    time.away.set()
    with pytest.raises(StoreUnavailableError, match="does not answer") as caught:
        store.publish(folder, f"{proxied}/model")
    assert caught.value.exit_code == 1
    assert not isinstance(caught.value, InputError)
    assert caught.value.remedy
    assert 600 <= time.now < 700
    waited = time.now
    with pytest.raises(StoreUnavailableError):  # what was made is kept without waiting once more
        store.publish(folder, f"{proxied}/partial")
    assert time.now == waited


# as an HTTPS server does that is spoken to in HTTP
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("address", [NOWHERE, NOT_S3, ""])
def test_a_store_that_never_answered_is_not_waited_for(
    address: str,
    bucket: str,
    server: minio.Minio,
    tmp_path: Path,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (file := tmp_path / "file").touch()
    with ExitStack() as stack:
        if not address:
            address, _ = stack.enter_context(faulty.refusing(503, "SlowDown"))
        elif address == NOT_S3:
            answers = iter([REFUSAL])
            hanging_up = faulty.proxy(server.address, lambda *_: next(answers, None))
            address = stack.enter_context(hanging_up)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(StoreError) as caught:
            store.publish(file, f"{bucket}/model")
        assert (caught.value.exit_code, time.now) == (2, 0)
        with store.relied_on(), pytest.raises(StoreUnavailableError):
            store.publish(file, f"{bucket}/model")
        assert time.now >= 600


def test_what_the_user_has_to_mend_is_told_at_once(
    proxied: str, folder: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.relied_on():
        with pytest.raises(StoreError, match="NoSuchBucket"):
            store.publish(folder, "minio://no-such-bucket/model")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(StoreError, match="SignatureDoesNotMatch"):
            store.publish(folder, f"{proxied}/model")
    assert time.now == 0


def test_nobody_waits_in_a_thread_whose_work_is_given_up() -> None:
    def wait(level: int) -> None:
        if level:
            checksums.in_threads(wait, [level - 1])
        else:
            begun.set()
            ended.append(any(pause.wait(0.01) or checksums.is_ended() for _ in range(6000)))

    def fail(_: int) -> None:
        begun.wait()
        raise KeyboardInterrupt

    begun, pause, ended = threading.Event(), threading.Event(), list[bool]()
    with pytest.raises(KeyboardInterrupt):
        checksums.in_threads(lambda one: fail(one) if one else wait(1), [1, 0])
    assert ended == [True]


def test_a_store_that_goes_while_training_does_not_cost_the_model(
    bucket: str, tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"base")
    store.publish(base, f"{bucket}/base")
    samples, out = tmp_path / "train.jsonl", tmp_path / "model"
    turn = Message(role="user", content="Hi.")
    store.write_rows(samples, [Sample(id="1", messages=(turn,), target="Ho.")])

    def train(work: Path, *_: object) -> None:
        (work / "trained").mkdir()
        (work / "trained" / "adapter_model.safetensors").write_bytes(safetensors(LORA))
        (work / TRAIN_LOG).touch()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", NOWHERE)

    monkeypatch.setattr(finetune, "_train", train)
    settings = finetune.FinetuneSettings(base_model=f"{bucket}/base", template="qwen3")
    made = finetune.finetune(samples, out, settings)
    assert made.base_digest == store.digest_weights(base)
    assert model.read_manifest(out) == made


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "TooManyRequests"), (503, "SlowDown"), (500, "InternalError")],
)
def test_a_store_that_has_too_much_to_do_is_waited_for(
    status: int, code: str, bucket: str, tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "file").write_bytes(b"content")
    with faulty.refusing(status, code, times=30) as (address, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with store.relied_on():
            store.publish(file, f"{bucket}/key")
    assert len(seen) > 30
    assert time.now > 0


def test_a_store_that_took_a_body_for_too_slow_is_asked_again(
    bucket: str, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty.refusing(400, "RequestTimeout", times=30) as (address, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with store.relied_on():
            s3.client("minio").put_object(Bucket="bucket", Key="key", Body=b"content")
    assert len(seen) > 30
    assert time.now > 0


def test_credentials_that_cannot_be_renewed_are_no_fault_of_a_run_that_has_used_them() -> None:
    from botocore.exceptions import CredentialRetrievalError

    gone = CredentialRetrievalError(provider="assume-role", error_msg="no answer")
    with pytest.raises(StoreError, match="cannot be renewed"), s3.explained("s3://b/k"):
        raise gone
    with store.relied_on(), pytest.raises(StoreUnavailableError), s3.explained("s3://b/k"):
        raise gone


@pytest.mark.parametrize("wait_s", [0.0, 20.0, 1200.0])
def test_the_bound_is_a_setting(proxied: str, folder: Path, time: Time, wait_s: float) -> None:
    time.away.set()
    with store.waiting(store.StoreSettings(wait_s=wait_s)):
        with pytest.raises(StoreUnavailableError):
            store.publish(folder, f"{proxied}/model")
        assert wait_s <= time.now <= wait_s + 10
    assert outage.patience.seconds == 600


@pytest.mark.parametrize("operation", ["exists", "version", "listed", "size", "fetch", "cached"])
def test_whatever_asks_the_store_waits(
    operation: str, proxied: str, folder: Path, tmp_path: Path, time: Time
) -> None:
    store.publish(folder, f"{proxied}/model")
    time.away.set()
    time.back = 60
    more = [tmp_path / "here"] if operation == "fetch" else []
    assert getattr(store, operation)(f"{proxied}/model", *more)
    assert 60 <= time.now < 100
    assert store.waited() == 60


def test_a_wait_is_told_as_events_and_counted_once_for_all_threads(
    proxied: str, folder: Path, time: Time
) -> None:
    events: list[progress.Progress] = []
    with progress.telling_waits(events.append):
        for _ in range(2):
            time.away.set()
            time.back = time.now + 60
            store.publish(folder, f"{proxied}/{time.now}")  # eight threads at a time
    whole = [event for event in events if event.state == "done"]
    assert [event.done for event in whole] == [60, 60]
    assert store.waited() == 120
    assert {(event.stage, event.total, event.unit) for event in events} == {
        ("store", 600, "seconds")
    }
    line = progress.Pace().describe(events[0])
    assert line == "store: 0/600 seconds, the store does not answer: waiting for it"
    assert progress.read_line(line)


def test_what_the_store_says_in_pieces_is_read_again(
    bucket: str,
    server: minio.Minio,
    folder: Path,
    tmp_path: Path,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the first answers is cut off in its middle: the folder's index, then its files."""
    store.publish(folder, f"{bucket}/model")
    cut: list[int] = []

    def spoil(number: int, data: bytes) -> bytes | None:
        if number <= 3 and number not in cut:
            cut.append(number)
            return faulty.Last(data[: len(data) - 20])
        return data

    with faulty.proxy(server.address, spoil) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with store.relied_on():
            copy = store.fetch(f"{bucket}/model", tmp_path / "here")
    assert cut
    weights = "model.safetensors"
    assert (copy / weights).read_bytes() == (folder / weights).read_bytes()
