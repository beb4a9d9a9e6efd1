"""A task's unfinished work in a real MinIO: what a process that is gone had done is there."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay import store
from assay.errors import StoreUnavailableError
from assay.store import area, artifacts, outage, pieces
from assay.store.area import Area
from tests import faulty, minio

USUAL_SECONDS = area.EVERY_SECONDS
CONTENTS = store.Contents(
    identity="identity.json",
    checkpoints="trained/checkpoint-*",
    complete="trainer_state.json",
    without=("data",),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "EVERY_SECONDS", 0.02)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder as training leaves it between two steps."""
    folder = tmp_path / "model.partial"
    write(folder / "identity.json", '{"seed": 1}')
    write(folder / "train.log", "step 1\n")
    write(folder / "data" / "train.jsonl", "{}\n")
    write(folder / "trained" / "trainer_log.jsonl", '{"step": 1}\n')
    write(folder / "trained" / "adapter_model.safetensors", "half")
    checkpoint(folder, 6)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def checkpoint(folder: Path, step: int, *, size: int = 10) -> Path:
    path = folder / "trained" / f"checkpoint-{step}"
    write(path / "adapter_model.safetensors", f"{step}" * size)
    write(path / "optimizer.pt", f"{step}")
    write(path / "trainer_state.json", f'{{"step": {step}}}')
    return path


def sent(folder: Path, uri: str) -> Area:
    """Send twice: a checkpoint is sent when it has not changed between two looks."""
    keeping = Area(folder, uri, CONTENTS)
    keeping.send()
    keeping.send()
    return keeping


def taken(folder: Path, uri: str) -> dict[str, str]:
    """What another machine takes up, by relative path."""
    Area(folder, uri, CONTENTS).take_up()
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_another_machine_goes_on_from_it(bucket: str, work: Path, tmp_path: Path) -> None:
    keeping = sent(work, f"{bucket}/model.partial")
    there = taken(tmp_path / "other", f"{bucket}/model.partial")
    assert there == {
        "identity.json": '{"seed": 1}',
        "train.log": "step 1\n",
        "trained/trainer_log.jsonl": '{"step": 1}\n',
        "trained/checkpoint-6/adapter_model.safetensors": "6" * 10,
        "trained/checkpoint-6/optimizer.pt": "6",
        "trained/checkpoint-6/trainer_state.json": '{"step": 6}',
    }
    keeping.remove()
    assert store.listed(f"{bucket}/model.partial") == []


def test_what_must_be_there_at_once_is(
    bucket: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(area, "EVERY_SECONDS", 600.0)
    with store.kept(work, f"{bucket}/model.partial", CONTENTS):
        store.keep_now(work / "trained" / "trainer_log.jsonl")
        there = taken(tmp_path / "other", f"{bucket}/model.partial")
    assert there["trained/trainer_log.jsonl"] == '{"step": 1}\n'
    store.keep_now(work / "train.log")  # nobody keeps it any more


def test_there_is_nothing_to_begin_with(bucket: str, tmp_path: Path) -> None:
    assert taken(tmp_path / "other", f"{bucket}/model.partial") == {}


def test_the_newest_checkpoint_is_kept(bucket: str, work: Path, tmp_path: Path, raw: Any) -> None:
    uri = f"{bucket}/model.partial"
    keeping = sent(work, uri)
    checkpoint(work, 12)
    keeping.send()
    assert "trained/checkpoint-6/optimizer.pt" in taken(tmp_path / "between", uri)
    shutil.rmtree(work / "trained" / "checkpoint-6")  # as training does
    keeping.send()
    there = taken(tmp_path / "after", uri)
    assert "trained/checkpoint-12/optimizer.pt" in there
    keys = [entry["Key"] for entry in raw.list_objects_v2(Bucket=bucket[8:])["Contents"]]
    assert not [key for key in keys if "checkpoint-6" in key]


def test_all_checkpoints_that_training_keeps_are_kept(
    bucket: str, work: Path, tmp_path: Path
) -> None:
    """One of them is chosen at the end, on whichever machine that is."""
    uri = f"{bucket}/model.partial"
    keeping = sent(work, uri)
    checkpoint(work, 12)
    checkpoint(work, 18)
    for _ in range(3):  # the newest first
        keeping.send()
    other = tmp_path / "other"
    going_on = Area(other, uri, CONTENTS)
    going_on.take_up()
    steps = {path.name for path in (other / "trained").glob("checkpoint-*")}
    assert steps == {"checkpoint-6", "checkpoint-12", "checkpoint-18"}
    shutil.rmtree(other / "trained" / "checkpoint-6")
    checkpoint(other, 24)
    going_on.send()
    going_on.send()
    there = taken(tmp_path / "last", uri)
    steps = {name.split("/")[1] for name in there if "checkpoint" in name}
    assert steps == {"checkpoint-12", "checkpoint-18", "checkpoint-24"}


def test_a_checkpoint_that_is_being_written_is_not_sent(
    bucket: str, work: Path, tmp_path: Path
) -> None:
    uri = f"{bucket}/model.partial"
    keeping = sent(work, uri)
    path = checkpoint(work, 12)
    (path / "trainer_state.json").unlink()
    keeping.send()
    keeping.send()
    write(path / "trainer_state.json", "{}")
    keeping.send()
    write(path / "tokenizer.json", "{}")  # LLaMA-Factory's own addition, at the very end
    keeping.send()
    assert "trained/checkpoint-12/optimizer.pt" not in taken(tmp_path / "between", uri)
    keeping.send()
    assert "trained/checkpoint-12/tokenizer.json" in taken(tmp_path / "after", uri)


def test_training_may_remove_a_checkpoint_while_it_is_sent(
    bucket: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = artifacts.publish

    def slow(path: Path, uri: str, *rest: Any, **more: Any) -> Any:
        if path.name == "checkpoint-6":
            shutil.rmtree(work / "trained" / "checkpoint-6")
        return publish(path, uri, *rest, **more)

    monkeypatch.setattr(artifacts, "publish", slow)
    sent(work, f"{bucket}/model.partial")
    there = taken(tmp_path / "other", f"{bucket}/model.partial")
    assert there["trained/checkpoint-6/optimizer.pt"] == "6"


def test_checkpoints_that_come_faster_than_looks_are_sent_all_the_same(
    bucket: str, work: Path, tmp_path: Path
) -> None:
    """Training removes each for the next one, so that none is there for two looks."""
    uri = f"{bucket}/model.partial"
    keeping = Area(work, uri, CONTENTS)
    for step in (12, 18, 24):
        checkpoint(work, step)
        for earlier in (work / "trained").glob("checkpoint-*"):
            if earlier.name != f"checkpoint-{step}":
                shutil.rmtree(earlier)
        keeping.send()
    there = taken(tmp_path / "other", uri)
    assert there["trained/checkpoint-18/adapter_model.safetensors"] == "18" * 10
    assert there["trained/checkpoint-18/optimizer.pt"] == "18"
    assert not [name for name in there if "checkpoint-12" in name or "checkpoint-24" in name]


def test_a_checkpoint_that_is_being_removed_is_not_looked_at(
    bucket: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is complete meanwhile, and half of this one is gone before it is linked."""
    copytree = shutil.copytree

    def late(source: Path, target: Path, **more: Any) -> Any:
        if source.name == "checkpoint-6":
            checkpoint(work, 12)
            (source / "optimizer.pt").unlink()
        copied = copytree(source, target, **more)
        shutil.rmtree(source)
        return copied

    uri = f"{bucket}/model.partial"
    keeping = Area(work, uri, CONTENTS)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", late)
        keeping.send()
    keeping.send()
    assert not [name for name in taken(tmp_path / "between", uri) if "checkpoint" in name]
    keeping.send()
    assert "trained/checkpoint-12/optimizer.pt" in taken(tmp_path / "after", uri)


@pytest.mark.parametrize("here", [6, 18])
def test_the_newer_checkpoint_of_the_same_work_counts(
    here: int, bucket: str, work: Path, tmp_path: Path
) -> None:
    """A machine that was killed goes on, with what it had not sent, or with what another has."""
    uri = f"{bucket}/model.partial"
    checkpoint(work, 12)
    sent(work, uri)
    there = tmp_path / "there"
    write(there / "identity.json", '{"seed": 1}')
    checkpoint(there, here)
    names = {name.split("/")[1] for name in taken(there, uri) if "checkpoint" in name}
    assert names == {f"checkpoint-{here}", "checkpoint-12"}


def test_what_is_here_of_other_work_goes_before_something_is_taken_up(
    bucket: str, work: Path, tmp_path: Path
) -> None:
    uri = f"{bucket}/model.partial"
    sent(work, uri)
    here = tmp_path / "here"
    write(here / "identity.json", '{"seed": 2}')
    checkpoint(here, 30)
    there = taken(here, uri)
    assert there["identity.json"] == '{"seed": 1}'
    assert {name.split("/")[1] for name in there if "checkpoint" in name} == {"checkpoint-6"}


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_a_torn_upload_is_never_taken_up(
    lost: int,
    bucket: str,
    work: Path,
    tmp_path: Path,
    server: minio.Minio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is cut in the middle of the next checkpoint, wherever that is."""
    uri = f"{bucket}/model.partial"
    keeping = sent(work, uri)
    checkpoint(work, 12, size=1 << 20)
    keeping.send()
    with (
        faulty.proxy(server.address, lambda n, data: None if n >= lost else data) as cut,
        monkeypatch.context() as patch,
    ):
        patch.setenv("AWS_ENDPOINT_URL_S3", cut)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
        keeping.try_to_send()
    there = taken(tmp_path / "other", uri)
    checkpoints = {name.split("/")[1] for name in there if "checkpoint" in name}
    assert "checkpoint-6" in checkpoints, "it is there, still"
    assert checkpoints <= {"checkpoint-6", "checkpoint-12"}
    for step in (name.removeprefix("checkpoint-") for name in checkpoints):
        assert there[f"trained/checkpoint-{step}/trainer_state.json"] == f'{{"step": {step}}}'


def test_what_is_there_of_other_work_goes_first(bucket: str, work: Path, tmp_path: Path) -> None:
    uri = f"{bucket}/model.partial"
    sent(work, uri)
    other = tmp_path / "other" / "model.partial"
    keeping = Area(other, uri, CONTENTS)
    keeping.take_up()
    write(other / "identity.json", '{"seed": 2}')  # as the stage does, which looks at it first
    write(other / "trained" / "trainer_log.jsonl", "")
    for path in (other / "trained").glob("checkpoint-*/*"):
        path.unlink()
    keeping.send()
    there = taken(tmp_path / "third", uri)
    assert there["identity.json"] == '{"seed": 2}'
    assert not [name for name in there if "checkpoint" in name]


def test_a_log_goes_in_segments(
    bucket: str, tmp_path: Path, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "SEGMENT_BYTES", 10)
    log, uri = tmp_path / "out" / "candidate" / "verdicts.jsonl", f"{bucket}/scores.partial"
    keeping = Area(tmp_path / "out", uri, store.Contents())
    text, put = "", list[int]()
    send = keeping.pieces._put

    def counted(name: str, data: bytes) -> None:
        put.append(len(data))
        send(name, data)

    monkeypatch.setattr(keeping.pieces, "_put", counted)
    for number in range(40):
        text += f'{{"n": {number}}}\n'
        write_on(log, f'{{"n": {number}}}\n')
        keeping.send()
    assert sum(put) < 12 * len(text)  # only the last segment is ever sent again
    write_on(log, '{"torn')
    keeping.send()
    other = tmp_path / "other"
    again = Area(other, uri, store.Contents())
    assert again.take_up()
    brought = other / "candidate" / "verdicts.jsonl"
    assert brought.read_text() == text
    write_on(brought, '{"n": 40}\n')
    again.send()
    third = tmp_path / "third"
    Area(third, uri, store.Contents()).take_up()
    assert (third / "candidate" / "verdicts.jsonl").read_text() == text + '{"n": 40}\n'


def write_on(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def test_a_log_that_is_begun_anew(bucket: str, tmp_path: Path) -> None:
    log, uri = tmp_path / "out" / "a.jsonl", f"{bucket}/scores.partial"
    keeping = Area(tmp_path / "out", uri, store.Contents())
    write(log, "old\n" * 5)
    keeping.send()
    log.unlink()
    write(log, "new\n")
    keeping.send()
    Area(tmp_path / "other", uri, store.Contents()).take_up()
    assert (tmp_path / "other" / "a.jsonl").read_text() == "new\n"


def test_a_log_that_is_longer_here_stays(bucket: str, tmp_path: Path) -> None:
    """The result was sent, and the process was killed before it had removed its work."""
    out, uri = tmp_path / "out", f"{bucket}/scores.partial"
    write(out / "a.jsonl", "1\n2\n")
    Area(out, uri, store.Contents()).send()
    whole = tmp_path / "whole"
    write(whole / "a.jsonl", "1\n2\n3\n")
    again = Area(whole, uri, store.Contents())
    again.take_up()
    assert (whole / "a.jsonl").read_text() == "1\n2\n3\n"
    write_on(whole / "a.jsonl", "4\n")
    again.send()
    Area(tmp_path / "third", uri, store.Contents()).take_up()
    assert (tmp_path / "third" / "a.jsonl").read_text() == "1\n2\n3\n4\n"


SOON_SECONDS = 5.0


class Clock(threading.Event):
    """The end of an area's work, which is waited for in no time: each half second of it a verdict
    comes, and what came long ago is to be in the store."""

    def __init__(self, log: Path, there: Callable[[], set[str]], rows: int) -> None:
        super().__init__()
        self.log, self.there, self.rows, self.now = log, there, rows, 0.0
        self.came: dict[str, float] = {}

    def wait(self, timeout: float | None = None) -> bool:
        for _ in range(int((timeout or 0.0) / 0.5)):
            self.now += 0.5
            late = {row for row, came in self.came.items() if self.now - came >= SOON_SECONDS}
            assert late <= self.there()
            self.came[f"{len(self.came)}"] = self.now
            write_on(self.log, f"{len(self.came) - 1}\n")
        if len(self.came) >= self.rows:
            self.set()
        return self.is_set()


def test_what_was_paid_for_is_in_the_store_within_five_seconds(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(area, "EVERY_SECONDS", USUAL_SECONDS)
    log, uri = tmp_path / "out" / "candidate" / "verdicts.jsonl", f"{bucket}/scores.partial"
    write(log, "")
    segment = f"{uri}/logs/candidate/verdicts.jsonl/{0:016}"

    def there() -> set[str]:
        if not store.exists(segment):
            return set()
        with store.fetched(segment) as path:
            return set(path.read_text().splitlines())

    keeping = Area(tmp_path / "out", uri, store.Contents())
    clock = Clock(log, there, rows=40)
    keeping._ending = clock
    keeping._keep()
    assert clock.now == 20.0


KEEPS = """
    import sys, time
    from pathlib import Path
    from assay import process, store
    from assay.store import area
    area.EVERY_SECONDS = 0.1
    folder, uri = Path(sys.argv[1]), sys.argv[2]
    with process.interruptible(), store.kept(folder, uri, store.Contents()):
        with store.appending(folder / "verdicts.jsonl") as file:
            for number in range(10_000):
                store.append(file, {"n": number})
                print(number, flush=True)
                time.sleep(0.01)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_process_had_done_is_there_when_it_is_gone(
    end: signal.Signals, bucket: str, tmp_path: Path
) -> None:
    uri = f"{bucket}/scores.partial"
    command = [sys.executable, "-c", textwrap.dedent(KEEPS), str(tmp_path / "out"), uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        until(lambda: int(child.stdout.readline()) >= 20 and bool(store.listed(uri)))  # type: ignore[union-attr]
        child.send_signal(end)
        last = child.stdout.read().split()
    again = tmp_path / "again"
    Area(again, uri, store.Contents()).take_up()
    rows = (again / "verdicts.jsonl").read_text().splitlines()
    assert len(rows) >= 2
    if end == signal.SIGTERM and last:
        assert len(rows) == int(last[-1]) + 1  # to the last one


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, StoreUnavailableError])
def test_however_the_block_ends_the_work_is_there(
    error: type[BaseException], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(area, "EVERY_SECONDS", 1000)
    folder, uri = tmp_path / "out", f"{bucket}/scores.partial"

    def work() -> None:
        with store.kept(folder, uri, store.Contents()):
            write(folder / "a.jsonl", "{}\n")
            raise error("it ends")

    with pytest.raises(error):
        work()
    assert store.listed(uri)


def test_what_keeps_it_from_being_kept_is_said_once_and_costs_nothing(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    with store.kept(folder, f"{bucket}/scores.partial", store.Contents()) as keeping:
        write(folder / "a.jsonl", "{}\n")
        secret, key = "AWS_SECRET_ACCESS_KEY", minio.PASSWORD
        monkeypatch.setenv(secret, "wrong")
        for _ in range(3):
            keeping.try_to_send()
        monkeypatch.setenv(secret, key)
        keeping.try_to_send()
        assert store.listed(f"{bucket}/scores.partial")
        keeping.remove()
    assert store.listed(f"{bucket}/scores.partial") == []
    assert capsys.readouterr().err.count("cannot be kept yet") == 1
    assert outage.waited() == 0
