"""Programs that run on beside the tests: started, stopped and waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.cluster.node.places import folder

GRACE_SECONDS = 4.0


def start(name: str, *command: object, environment: Mapping[str, str] | None = None) -> None:
    """Start a program under `name`, its output appended to its log; leave a running one alone."""
    if is_running(name):
        return
    with (folder("log") / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    (folder("pids") / name).write_text(str(child.pid))
    child.returncode = 0  # it outlives this process: no warning that it is still running


def stop(name: str) -> None:
    """End a program and whatever it started; some outlive SIGTERM."""
    path = folder("pids") / name
    if not path.exists():
        return
    pid = int(path.read_text())
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(pid, number)
        end = time.monotonic() + GRACE_SECONDS
        while _alive(pid) and time.monotonic() < end:
            time.sleep(0.1)
    path.unlink()


def is_running(name: str) -> bool:
    """Return whether the program started under `name` still runs."""
    path = folder("pids") / name
    return path.exists() and _alive(int(path.read_text()))


def wait(what: str, check: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until `check` is true. Raises RuntimeError after `seconds`."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} is not ready after {seconds:.0f} s: see {folder('log')}")
        time.sleep(0.3)


def answers(url: str) -> bool:
    """Return whether an HTTP server at `url` says 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
