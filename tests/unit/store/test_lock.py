"""Two processes never work in one folder; one that is dead is in nobody's way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import store
from assay.errors import InUseError, StoreError
from assay.store import lock
from assay.store.files import disk
from assay.store.lock import LOCK

HOLD = """
import os, sys, time
from pathlib import Path
from assay import store
with store.held(Path(sys.argv[1])):
    forks = sys.argv[2:] == ["forks"]
    child = not os.fork() if forks else False
    if child or not forks:
        print("held", flush=True)
    if child:
        time.sleep(60)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process in `folder`, until the block ends."""
    command = [sys.executable, "-c", HOLD, str(folder), *how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its children, too


def test_who_comes_second_is_told_who_is_first_and_leaves_it_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with holder(folder) as first:
        with pytest.raises(InUseError) as caught, store.held(folder):
            pytest.fail("two are in")
        told = str(caught.value)
        assert f"process {first.pid} on " in told
        assert "since 20" in told
        assert "end that process" in told
        assert caught.value.exit_code == 2
        assert first.poll() is None
        first.communicate("")
        assert first.wait() == 0
    with store.held(folder):
        pass
    assert not folder.exists()  # nothing was ever in it


@pytest.mark.parametrize("how", [(), ("forks",)])
def test_a_killed_process_is_in_nobodys_way_though_its_children_live(
    how: tuple[str, ...], tmp_path: Path
) -> None:
    with holder(tmp_path, *how) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert (tmp_path / LOCK).is_file()
        with store.held(tmp_path):
            assert lock.read_owner((tmp_path / LOCK).read_bytes()).process == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_the_same_thread_may_enter_again_and_another_may_not(tmp_path: Path) -> None:
    errors: list[InUseError] = []

    def enter() -> None:
        try:
            with store.held(tmp_path):
                pytest.fail("two are in")
        except InUseError as error:
            errors.append(error)

    with store.held(tmp_path):
        with store.held(tmp_path / ".." / tmp_path.name):
            pass
        other = threading.Thread(target=enter)
        other.start()
        other.join()
        assert (tmp_path / LOCK).is_file()
    assert len(errors) == 1


def test_of_many_that_come_at_once_one_is_in(tmp_path: Path) -> None:
    inside, most, entered = [0], [0], [0]

    def work() -> None:
        for _ in range(40):
            try:
                with store.held(tmp_path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    entered[0] += 1
                    inside[0] -= 1
            except InUseError:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered[0] > 0
    assert most == [1]
    assert not (tmp_path / LOCK).exists()


def test_an_owner_names_no_argument_that_could_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/assay", "judge", "run", "--set", "judge.key=sk-abc"])
    assert lock.this_process().command == "assay judge"
    monkeypatch.setattr(sys, "argv", ["-c", "https://user:word@host/v1"])
    assert lock.this_process().command == "-c"


@given(st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b'{"host": 1}', b"null", b"[]"]))
def test_whatever_a_lock_holds_is_an_owner(content: bytes) -> None:
    assert str(lock.read_owner(content))


def test_a_folder_that_cannot_be_locked_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    told = "cannot be written: File exists. Choose another folder: a file stands in the place"
    with pytest.raises(StoreError, match=told), store.held(tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room or choose another folder"),
        (errno.EROFS, "get the right to write there"),
        (errno.EACCES, "get the right to write there"),
    ],
)
def test_the_remedy_is_of_the_cause(number: int, remedy: str) -> None:
    with pytest.raises(StoreError, match=remedy), disk(Path("run")):
        raise OSError(number, os.strerror(number))


WRITE = """
import sys
from pathlib import Path
from assay import store
with store.replacing(Path(sys.argv[1]) / "scores.jsonl") as file:
    file.write(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_wrote_half_goes_with_who_comes_next(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "run" / "another-run"
    for folder in (run, run / "candidate", other):
        command = [sys.executable, "-c", WRITE, str(folder)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "writing\n"
            process.kill()
    (run / ".mine.partial").write_text("the user's")
    assert len(left := set(run.rglob(".*.partial"))) == 4
    with holder(other), store.held(run):
        assert {path for path in left if path.exists()} == {
            run / ".mine.partial",
            *other.glob(".scores*"),  # somebody works there
        }
