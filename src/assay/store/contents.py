"""What of a work folder is kept, and how its files are."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

LOGS = (".jsonl", ".log")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What of a work folder is kept: all its logs and the files directly in it but those `without`,
    or of them those of the names `only`, and its `checkpoints`, numbered folders by a pattern, each
    of which has the file `complete` when it is: the newest first, and those that stay beside it.
    The file `identity` says what work it is: that of other work is removed."""

    identity: str = ""
    checkpoints: str = ""
    complete: str = ""
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def want(self, name: str) -> bool:
        """Return whether the file of this name in the folder is kept."""
        parts = name.split("/")
        hidden = any(part.startswith(".") or part.endswith(".partial") for part in parts)
        wanted = not self.only or parts[-1] in self.only
        return wanted and not (hidden or set(parts) & set(self.without))


class FileState(NamedTuple):
    """How a file was when it was sent, or a checkpoint when it was looked at."""

    inode: int
    size: int
    changed: int


def number_of(name: str) -> int:
    """Return the number at the end of a checkpoint's name, -1 without one."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


def state_of(path: Path) -> FileState:
    """Return how a file is."""
    status = path.stat()
    return FileState(status.st_ino, status.st_size, status.st_mtime_ns)


def states_of(folder: Path) -> dict[str, FileState]:
    """Return how each file of a folder is, by its path in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): state_of(path) for path in files}


def link_or_copy(source: str, target: str) -> str:
    """Give a file a second name, or a copy on a file system without links; return that."""
    try:
        os.link(source, target)
    except PermissionError:
        shutil.copy2(source, target)
    return target
