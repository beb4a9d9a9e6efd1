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


def test_a_killed_child_is_told_by_its_signal(tmp_path: Path) -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(StageError, match="ended with signal SIGKILL"):
        process.run([sys.executable, "-c", code], log=tmp_path / "log", what="Training")


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path) -> None:
    code = "raise OSError(28, 'No space left on device')"
    with pytest.raises(StoreError, match="no space left on the device") as failed:
        process.run([sys.executable, "-c", code], log=tmp_path / "log", what="Training")
    assert failed.value.exit_code == 2


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
