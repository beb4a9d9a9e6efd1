"""Children end with their parent, whichever way that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay import process
from assay.errors import StageError, StoreError

# A stage whose child starts a grandchild in its process group, as torchrun does.
GRANDCHILD = "import time; time.sleep(600)"
CHILD = f"""
import subprocess, sys, time
from pathlib import Path
from assay import process
process.end_with_parent()
grandchild = subprocess.Popen([sys.executable, "-c", {GRANDCHILD!r}])
Path(sys.argv[1]).write_text(f"{{grandchild.pid}}")
time.sleep(600)
"""
STAGE = """
import sys
from pathlib import Path
from assay import process
with process.interruptible():
    process.run([sys.executable, "-c", sys.argv[1], sys.argv[2]], log=Path(sys.argv[3]), what="it")
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait(condition: object, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see processes: Linux")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_descendant_outlives_a_stage(tmp_path: Path, number: signal.Signals) -> None:
    pid_file = tmp_path / "pid"
    command = [sys.executable, "-c", STAGE, CHILD, str(pid_file), str(tmp_path / "log")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as stage:
        assert wait(lambda: pid_file.is_file() and pid_file.read_text())
        grandchild = int(pid_file.read_text())
        assert alive(grandchild)
        os.kill(stage.pid, number)
        stage.wait(30)
    assert wait(lambda: not alive(grandchild))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see processes: Linux")
def test_what_a_child_leaves_behind_is_gone_when_it_has_ended(tmp_path: Path) -> None:
    large = "held = bytearray(b'x') * (256 << 20); print(flush=True); import time; time.sleep(600)"
    code = f"""
import subprocess, sys
left = subprocess.Popen([sys.executable, "-c", {large!r}], stdout=subprocess.PIPE)
left.stdout.readline()  # its memory takes a moment to be given back
print(left.pid)
"""
    process.run([sys.executable, "-c", code], log=tmp_path / "log", what="it")
    assert not alive(int((tmp_path / "log").read_text()))


def test_a_failed_child_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; print('first'); print('the reason', file=sys.stderr); sys.exit(3)"
    with pytest.raises(StageError, match=r"Training ended with exit code 3.*\n.*\n  the reason"):
        process.run([sys.executable, "-c", code], log=tmp_path / "log", what="Training")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (signal.SIGKILL, "look for a lack of memory in the kernel's log"),
        (signal.SIGTERM, "It was asked to end"),
        (signal.SIGBUS, "See whether /dev/shm or its disk is full"),
        (signal.SIGSEGV, "Check that the installed CUDA fits"),
    ],
)
def test_a_killed_child_is_told_by_its_signal(
    tmp_path: Path, number: signal.Signals, remedy: str
) -> None:
    kill = f"import os; os.kill(os.getpid(), {int(number)})"
    with pytest.raises(StageError, match=f"ended with signal {number.name};") as told:
        process.run([sys.executable, "-c", kill], log=tmp_path / "log", what="Training")
    assert remedy in told.value.remedy
    assert "the same again resumes" in told.value.remedy


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill {}\noom_group_kill 0\n", 3),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n", 1),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", 0),
        ("memory.events", "no such thing here\n", 0),
        ("nothing", "", 0),
    ],
)
def test_the_kernel_says_how_many_it_killed_for_memory(
    tmp_path: Path, name: str, text: str, count: int
) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(text.format(count))
    assert process.memory_kills(tmp_path) == count


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "1048576\n", 2**20),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "1048576\n", 2**20),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("nothing", "", None),
    ],
)
def test_a_container_has_the_memory_of_its_limit(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(text)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert process.memory(tmp_path) == (limit or machine)


def test_a_child_that_was_killed_for_memory_is_told_from_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the one that was killed is a child of its own, as torchrun's are."""
    counts = iter([4, 5])
    monkeypatch.setattr(process, "memory_kills", lambda: next(counts))
    with pytest.raises(StageError, match=r"exit code 1: it was killed for memory \(OOM\)") as told:
        process.run([sys.executable, "-c", "exit(1)"], log=tmp_path / "log", what="Training")
    assert "cluster.memory" in told.value.remedy


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path) -> None:
    code = "raise OSError(28, 'No space left on device')"
    with pytest.raises(StoreError, match="no space left on the device") as failed:
        process.run([sys.executable, "-c", code], log=tmp_path / "log", what="Training")
    assert failed.value.exit_code == 2


def test_a_child_is_kept_from_having_pickles_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    monkeypatch.setenv(name, "1")
    for given in (None, {name: "1"}):
        code = f"import os; print(os.environ.get('{name}'))"
        process.run(
            [sys.executable, "-c", code], log=tmp_path / "log", what="It", environment=given
        )
    assert (tmp_path / "log").read_text().split() == ["None", "None"]


def test_a_child_that_ends_well_is_followed_to_its_end(tmp_path: Path) -> None:
    ticks: list[int] = []
    process.run(
        [sys.executable, "-c", "print('hello')"],
        log=tmp_path / "log",
        what="it",
        on_tick=lambda: ticks.append(1),
    )
    assert ticks
    assert (tmp_path / "log").read_text() == "hello\n"
