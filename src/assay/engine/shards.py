"""Several processes that evaluate and answer together: started, watched and ended as one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

from assay import ending, process
from assay.engine.devices import Devices
from assay.errors import AssayError

_LAST_SECONDS = 3.0


class NoRoomError(Exception):
    """A process's memory is too small for the batch."""


def run(
    groups: Sequence[Devices],
    work: Path,
    arguments: Sequence[str],
    on_tick: Callable[[], None],
    *,
    joined: bool,
) -> None:
    """Run assay.engine.shard with `arguments` in a process for each group of devices, to their end.
    `joined` processes evaluate together, as torchrun's do.

    Where one fails all are ended: raises what it has left, StageError with the end of its log, or
    NoRoomError.
    """
    together = _torchrun(len(groups)) if joined else {}
    kills = process.memory_kills()
    logs = [work / f"generate-{rank}.log" for rank in range(len(groups))]
    command = process.python("assay.engine.shard", *arguments)
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                process.background(
                    command, log=log, environment={**together, **_own(rank, group, len(groups))}
                )
            )
            for rank, (group, log) in enumerate(zip(groups, logs, strict=True))
        ]
        codes = _until_one_fails(children, on_tick)
        if joined:
            codes = _with_the_cause(children, codes)
    on_tick()
    if any(codes):
        raise _failure(codes, logs, work, killed=process.memory_kills() > kills)


def _own(rank: int, group: Devices, processes: int) -> dict[str, str]:
    """Return the variables of one of so many processes."""
    return {
        **_threads(processes),
        **group,
        "RANK": str(rank),
        # the first that it sees, where it sees only its own
        "LOCAL_RANK": "0" if group else str(rank),
    }


def _until_one_fails(
    children: Sequence[Popen[bytes]], on_tick: Callable[[], None]
) -> list[int | None]:
    """Wait until one of the processes has failed, or all are done; return their exit codes, None
    for one that goes on."""
    while any(child.poll() is None for child in children):
        on_tick()
        if any(child.poll() for child in children):
            break
        time.sleep(process.POLL_SECONDS)
    return [child.poll() for child in children]


def _with_the_cause(children: Sequence[Popen[bytes]], codes: list[int | None]) -> list[int | None]:
    """Return the exit codes, after a while for the process that has no memory left: its connections
    are closed before it has ended, and the one that misses it may be the faster of the two."""
    until = time.monotonic() + _LAST_SECONDS
    while any(codes) and None in codes and ending.NO_ROOM not in codes and time.monotonic() < until:
        time.sleep(process.POLL_SECONDS)
        codes = [child.poll() for child in children]
    return codes


def _torchrun(processes: int) -> dict[str, str]:
    """Return the variables by which torchrun has so many processes of one machine meet."""
    return {
        "MASTER_ADDR": process.LOOPBACK,
        "MASTER_PORT": str(process.free_port()),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }


def _threads(processes: int) -> dict[str, str]:
    """Return how many of the cores each process takes, or all would take all of them."""
    own = {"OMP_NUM_THREADS": str(max(1, process.cores() // processes))}
    return {} if "OMP_NUM_THREADS" in os.environ else own


def _failure(
    codes: Sequence[int | None], logs: Sequence[Path], work: Path, *, killed: bool
) -> Exception:
    """Return why the processes ended: that of one that was killed or said it, before those that
    only miss it."""
    if ending.NO_ROOM in codes:
        return NoRoomError()
    if told := _told(len(codes), work):
        return told
    failed = [rank for rank, code in enumerate(codes) if code]
    rank = next((rank for rank in failed if (codes[rank] or 0) < 0), failed[0])
    what = f"Generation, process {rank + 1} of {len(codes)},"
    return process.failure(what, codes[rank] or 0, logs[rank], for_memory=killed)


def _told(processes: int, work: Path) -> AssayError | None:
    left = (ending.read(work / f"error-{rank}.json") for rank in range(processes))
    return next((error for error in left if error), None)


def say(line: str) -> None:
    """Write a line to the log."""
    print(f"assay: {line}", file=sys.stderr, flush=True)
