"""One machine at a time works on a folder in a store; one that is dead is taken over from."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from assay import process, store
from assay.errors import InUseError, StageError
from assay.store import lease, s3
from assay.store.lease import Lease, Renewal, leased
from assay.store.lock import LOCK, OWNER

DEAD = Renewal(renew_s=600.0, dead_s=-1.0)  # whoever has it has not renewed it for too long
ALIVE = Renewal(renew_s=600.0, dead_s=600.0)


@pytest.fixture(autouse=True)
def _pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "renewal", ALIVE)


def taken(uri: str, home: str) -> Lease:
    held = Lease(uri, home)
    held.take()
    return held


def test_another_machine_is_told_who_works_there(bucket: str) -> None:
    with leased(f"{bucket}/x", "here"), pytest.raises(InUseError) as caught:
        taken(f"{bucket}/x", "there")
    assert "since 20" in str(caught.value)
    assert "renewed" in caught.value.remedy
    assert "free 600 s after" in caught.value.remedy
    assert caught.value.exit_code == 2
    assert not store.exists(f"{bucket}/x")  # it left nothing
    with leased(f"{bucket}/x", "there"):
        pass


def test_who_is_silent_is_taken_over_from_and_learns_of_it(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = taken(f"{bucket}/x", "here")
    monkeypatch.setattr(lease, "renewal", DEAD)
    with leased(f"{bucket}/x", "there") as second:
        assert "is taken over" in capsys.readouterr().err
        with pytest.raises(StageError, match="was taken over by"):
            first.check()
        first.release()  # which is not its own any more
        second.check()


def test_the_next_process_of_a_machine_waits_for_nobody(bucket: str) -> None:
    taken(f"{bucket}/x", "here")
    with leased(f"{bucket}/x", "here"):
        pass


def test_another_try_of_the_same_work_waits_for_nobody(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWNER, "job-7/judge")
    taken(f"{bucket}/x", "pod 1")
    taken(f"{bucket}/x", "pod 2")
    monkeypatch.setenv(OWNER, "job-8/judge")
    with pytest.raises(InUseError):
        taken(f"{bucket}/x", "pod 3")


def test_of_many_that_come_at_once_one_gets_it(bucket: str) -> None:
    got: list[Lease] = []
    start = threading.Barrier(8)

    def take(number: int) -> None:
        start.wait()
        try:
            got.append(taken(f"{bucket}/x", f"machine {number}"))
        except InUseError:
            return

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_it_is_renewed_while_the_block_runs(
    bucket: str, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "renewal", Renewal(renew_s=0.01, dead_s=600.0))
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": f"x/{LOCK}"}
    with leased(f"{bucket}/x", "here") as held:
        first = (raw.head_object(**where)["LastModified"], held._etag)
        wait_until(lambda: held._etag != first[1])
        held.check()


def test_a_process_that_lost_it_is_interrupted_and_says_why(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "renewal", Renewal(renew_s=0.05, dead_s=-1.0))

    def work() -> None:
        with leased(f"{bucket}/x", "here"):
            taken(f"{bucket}/x", "there")
            wait_until(lambda: False)

    with process.interruptible(), pytest.raises(StageError, match="was taken over"):
        work()


def test_a_lock_that_somebody_removed_is_written_again(bucket: str, raw: Any) -> None:
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": f"x/{LOCK}"}
    with leased(f"{bucket}/x", "here") as held:
        raw.delete_object(**where)
        held.check()
        assert raw.head_object(**where)


def test_a_write_whose_answer_was_lost_counts(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = taken(f"{bucket}/x", "here")
    put, answers = held._s3.put_object, iter([True, False])

    def twice(**what: Any) -> Any:
        """As the client does where the first answer never came."""
        if next(answers, False):
            put(**what)
        return put(**what)

    monkeypatch.setattr(held._s3, "put_object", twice)
    held.check()
    held.check()


def test_a_cut_or_foreign_lock_is_somebodys(bucket: str, raw: Any) -> None:
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": f"x/{LOCK}"}
    raw.put_object(**where, Body=b"\xff\xfe not JSON")
    with pytest.raises(InUseError, match="does not say which"):
        taken(f"{bucket}/x", "here")


@pytest.mark.parametrize("refuses", [False, True])
def test_a_store_without_conditional_writes_is_told_once_and_still_shows_who_is_there(
    refuses: bool, bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lease._say_unguarded.cache_clear()
    client = s3.client("minio")
    with unconditional(client, refuses):
        first = taken(f"{bucket}/x", "here")
        assert capsys.readouterr().err.count("takes no conditional writes") == 1
        first.check()
        with pytest.raises(InUseError):
            taken(f"{bucket}/x", "there")
        first.release()
        taken(f"{bucket}/x", "there")
    assert not capsys.readouterr().err
    lease._say_unguarded.cache_clear()


@contextmanager
def unconditional(client: Any, refuses: bool) -> Iterator[None]:
    """MinIO as a store that has no conditions: it refuses them by 501, or takes no notice."""

    def before_send(request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        conditions = [name for name in request.headers if name.lower().startswith("if-")]
        if refuses and conditions:
            body = b"<Error><Code>NotImplemented</Code><Message>no</Message></Error>"
            return AWSResponse(request.url, 501, {}, Raw(body))
        return None

    def before_sign(request: Any, **_: Any) -> None:
        if not refuses:
            for name in ("If-None-Match", "If-Match"):
                if name in request.headers:
                    del request.headers[name]

    events = client.meta.events
    events.register("before-send.s3.PutObject", before_send)
    events.register_first("before-sign.s3.PutObject", before_sign)
    try:
        yield
    finally:
        events.unregister("before-send.s3.PutObject", before_send)
        events.unregister("before-sign.s3.PutObject", before_sign)


class Raw:
    """A body as urllib3 gives it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.body


def wait_until(done: Any) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
