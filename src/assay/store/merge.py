"""Two versions of one folder, both changed since they were the same, made one: nothing that was
appended on either side is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

from assay.folder import LOGS
from assay.store.files import disk, replacing
from assay.store.rows import is_whole


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The files of both sides by their path in the folder: what is `here` and what is `there`, and
    which of them have changed on that side (`ours`, `theirs`) since the two were the same."""

    here: Set[str]
    there: Set[str]
    ours: Set[str]
    theirs: Set[str]


def merge(sides: Sides, here: Callable[[str], Path], there: Callable[[str], Path]) -> None:
    """Bring what has changed there, which lies at `there(name)`, to `here(name)`. A log gets the
    rows of both; of any other file that both have changed, theirs counts. Raises StoreError."""
    for name in sides.here - sides.there - sides.ours:  # it was removed there
        here(name).unlink(missing_ok=True)
    for name in sides.there & sides.theirs:
        if name in sides.ours and name in sides.here and is_log(here(name)):
            join(here(name), there(name).read_bytes())
        else:
            with disk(here(name)):
                here(name).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(there(name), here(name))


def is_log(path: Path) -> bool:
    """Return whether a file is one that is only appended to, by its name."""
    return path.name in LOGS


def join(log: Path, other: bytes) -> None:
    """Put the rows that a log has and another version of it lacks behind the other's. Raises
    StoreError."""
    ours, theirs = _lines(log.read_bytes()), _lines(other)
    known = set(theirs)
    with replacing(log) as file:
        file.writelines(theirs)
        file.writelines(line for line in ours if line not in known)


def _lines(log: bytes) -> list[bytes]:
    """Return a log's rows: one that a kill has torn is none."""
    lines = log.splitlines(keepends=True)
    return [line.rstrip(b"\n") + b"\n" for line in lines if is_whole(line)]
