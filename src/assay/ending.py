"""How a process that answers tells the one that started it what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import store
from assay.errors import AssayError, InputError, StageError

NO_ROOM = 76
"""The exit code of a process whose device's memory was too small."""


@contextmanager
def left(path: Path) -> Iterator[None]:
    """Write what Assay raises in the body to `path`, and end this process with its exit code."""
    path.unlink(missing_ok=True)
    try:
        yield
    except AssayError as error:
        refused = isinstance(error, InputError)
        store.write_json(path, {"refused": refused, "what": error.what, "remedy": error.remedy})
        print(f"assay: {error}", file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise, instead of the StageError by which the body says that a process has failed, what that
    has left in `path`, where it has left something."""
    path.unlink(missing_ok=True)
    try:
        yield
    except StageError as error:
        raise read(path) or error from None


def read(path: Path) -> AssayError | None:
    """Return what a process has left in `path`: an InputError, or a StageError; None where that
    is nothing."""
    if not path.is_file():
        return None
    told = store.read_json(path)
    kind = InputError if told["refused"] else StageError
    return kind(told["what"], told["remedy"])
