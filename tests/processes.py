"""Which processes are there, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def using(folder: Path) -> list[str]:
    """Return the command lines of the processes that name `folder`, this one left out."""
    found = []
    for path in PROC.glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(folder) in command and int(path.parent.name) != os.getpid():
            found.append(command)
    return found
