"""What the stand-ins of the model did, and when, written where no fault reaches: a file of the
node, which outlives their pods."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

VARIABLE = "ASSAY_TALLY"


class Act(NamedTuple):
    """A process `pid` did something (`what`: begin, step, checkpoint, end) at a time; `step` is
    how far it was."""

    at: float
    process: str
    what: str
    step: int


def note(what: str, step: int) -> None:
    """Write down what this process does, where the environment names a file for it."""
    if path := os.environ.get(VARIABLE):
        process = f"{os.uname().nodename}/{os.getpid()}/{_started()}"
        with Path(path).open("a") as file:
            file.write(json.dumps(Act(time.time(), process, what, step)) + "\n")


def read(path: Path) -> list[Act]:
    """Return everything that was written down."""
    return list(_acts(path)) if path.is_file() else []


def _acts(path: Path) -> Iterator[Act]:
    for line in path.read_text().splitlines():
        yield Act(*json.loads(line))


def _started() -> str:
    """When this process started, by the kernel: two pods of one name have the same numbers."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
