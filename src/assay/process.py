"""Child processes that never outlive their parent, and signals that let a stage clean up.

A heavy child (LLaMA-Factory) leads its own process group, so that stopping it stops whatever it
started (torchrun and its workers). It watches its parent: if that is killed, so is the group.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from assay.errors import AssayError, StageError, StoreError
from assay.settings import redacted

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 10.0
DEATH_SECONDS = 2.0  # dying takes less, but where nobody reaps orphans they seem to stay for ever
POLL_SECONDS = 0.2
MEBIBYTE = 2**20
NO_SPACE = "No space left on device"
_UNPICKLES = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"  # by it torch runs what a pickle holds
_RANK = re.compile(r"^\[rank\d+\]: ?")  # of the lines of torchrun's processes
CONTROL_GROUP = Path("/sys/fs/cgroup")
MEMORY = (
    "Give it more memory (cluster.memory on a cluster), or lower batch_size or cutoff_len; the "
    "same again resumes"
)
_REMEDIES: Mapping[int, str] = {
    signal.SIGKILL: "Nothing says who killed it: look for a lack of memory in the kernel's log "
    "(dmesg), and if it was that, lower batch_size or cutoff_len; the same again resumes",
    signal.SIGTERM: "It was asked to end, as at a shutdown; the same again resumes",
    signal.SIGBUS: "See whether /dev/shm or its disk is full; the same again resumes",
    signal.SIGSEGV: "Check that the installed CUDA fits the GPU's driver; the same again resumes",
}


def free_port() -> int:
    """Return a port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def run(
    argv: Sequence[str],
    *,
    log: Path,
    what: str,
    environment: Mapping[str, str] | None = None,
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Run `argv` to its end with its output appended to `log`, calling `on_tick` meanwhile.

    Raises StageError with the last lines of the log when it fails. However this function is left,
    the child's whole process group is gone by then.
    """
    killed = memory_kills()
    with background(argv, log=log, environment=environment) as child:
        while child.poll() is None:
            on_tick()
            time.sleep(POLL_SECONDS)
    on_tick()
    if child.returncode != 0:
        raise failure(what, child.returncode, log, for_memory=memory_kills() > killed)


@contextmanager
def background(
    argv: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `argv` while the body runs, its output appended to `log`. Afterwards its whole process
    group is gone, too."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=_environment(environment),
            start_new_session=True,
        )
        try:
            yield child
        finally:
            stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End the child's process group: SIGTERM, then SIGKILL after GRACE_SECONDS. What the child
    started and left behind takes a moment to die, too, which is waited for."""
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
    deadline = time.monotonic() + DEATH_SECONDS
    while _signal_group(child.pid, signal.SIGKILL) and time.monotonic() < deadline:
        child.poll()
        time.sleep(0.01)
    child.wait()


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module of Assay in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def end_with_parent() -> None:
    """Kill this process's group as soon as the process that started it is gone."""
    parent = os.getppid()
    _watch(lambda: os.getppid() == parent, lambda: os.killpg(os.getpgrp(), signal.SIGKILL))


def end_with(pid: int) -> None:
    """Interrupt this process by SIGTERM as soon as process `pid` is gone."""
    _watch(lambda: _alive(pid), lambda: os.kill(os.getpid(), signal.SIGTERM))


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that every `finally` on the way out runs."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _environment(added: Mapping[str, str] | None) -> dict[str, str]:
    # OpenMP's threads (torch, llama.cpp) spin while they wait for each other, by default so long
    # that they lose up to ten times their speed where anything else runs; not at all costs half
    usual = {"GOMP_SPINCOUNT": "1000", "PYTHONUNBUFFERED": "1", **os.environ, **(added or {})}
    return {name: value for name, value in usual.items() if name != _UNPICKLES}


def _watch(alive: Callable[[], bool], end: Callable[[], None]) -> None:
    def watch() -> None:
        while alive():
            time.sleep(POLL_SECONDS)
        end()

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal_group(group: int, number: signal.Signals) -> bool:
    """Send a signal to a process group; return whether any process of it is left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def memory_kills(root: Path = CONTROL_GROUP) -> int:
    """Return how many processes the kernel has killed for memory in this container, 0 where it does
    not say so."""
    for name in ("memory.events", "memory/memory.oom_control"):  # of the two kinds of them
        with suppress(OSError, ValueError):
            lines = (root / name).read_text().splitlines()
            counts = dict(line.split() for line in lines)
            return int(counts.get("oom_kill", 0))
    return 0


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory(root: Path = CONTROL_GROUP) -> int:
    """Return how many bytes of memory the processes of this container may have: those of the
    machine, or its limit."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of the two kinds of them
        with suppress(OSError, ValueError):  # without a limit it is no number
            most = min(most, int((root / name).read_text()))
    return most


def failure(what: str, code: int, log: Path, *, for_memory: bool) -> AssayError:
    """Return what a process's exit code `code` comes to, with the end of its log; `for_memory` says
    that the kernel has killed for memory meanwhile."""
    last = _tail(log)
    if NO_SPACE in last or shutil.disk_usage(log.parent).free < MEBIBYTE:
        return StoreError(
            f"{what} found no space left on the device of {log.parent}",
            "Make room, then run the same command again: it resumes",
        )
    ending = f"{what} ended with {_ending(code)}"
    if for_memory:
        ending += ": it was killed for memory (OOM)"
    remedy = MEMORY if for_memory else _REMEDIES.get(-code, "")
    return StageError(f"{ending}; the end of {log}:\n{last}", remedy)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _without_frames(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a log but for where in the code an error arose: what it is stands after
    that."""
    inside = False
    for line in lines:
        said = _RANK.sub("", line)
        if "Traceback (most recent call last)" in said:
            inside = True
        elif not (inside and said[:1].isspace()):
            inside = False
            yield line


def _tail(log: Path, lines: int = 8) -> str:
    with log.open(errors="replace") as file:
        last = deque((line.rstrip() for line in _without_frames(file) if line.strip()), lines)
    return "\n".join(f"  {redacted(line)[:300]}" for line in last)
