"""What a task's stage runs in.

Inside `running` a termination signal unwinds the stage (so that it ends what it started), progress
goes to the task's log and, where ASSAY_PROGRESS names a file, to that too, and an error that
Assay raised on purpose ends the task with one clear line and its exit code.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay import judge as judging
from assay import process, progress, store
from assay.errors import AssayError
from assay.settings import build
from assay.task.handover import whole

PROGRESS = "ASSAY_PROGRESS"
PARENT = "ASSAY_PARENT"
ERROR = "error.json"


@contextmanager
def running(
    given: Mapping[str, Any] | None = None, *, judge_secret: str = ""
) -> Iterator[progress.Listener]:
    """Yield the listener of a task's stage; see the module's docstring. `given` is the section
    store of the configuration; `judge_secret` names the Secret that the judge's key comes from,
    for what is said of it."""
    if judge_secret:
        os.environ[judging.SECRET] = judge_secret
    for name in ("httpx", "httpx2"):  # KFP's executor would have each request of the judge logged
        logging.getLogger(name).setLevel(logging.WARNING)
    path = os.environ.get(PROGRESS, "")
    listen = progress.to_lines()
    if path:
        listen = progress.tee(listen, progress.to_file(Path(path)))
    if parent := os.environ.get(PARENT):
        process.end_with(int(parent))
    # whether a store's address is right, preflight has asked
    with process.interruptible(), store.relied_on(), progress.telling_waits(listen):
        try:
            with store.waiting(build(store.StoreSettings, whole(given or {}), "store")):
                yield listen
        except AssayError as error:
            print(f"assay: {error}", file=sys.stderr, flush=True)
            if path:
                store.write_json(Path(path).with_name(ERROR), _described(error))
            raise SystemExit(error.exit_code) from None


def _described(error: AssayError) -> dict[str, Any]:
    described = {"what": error.what, "remedy": error.remedy, "exit_code": error.exit_code}
    return {"error": type(error).__name__, **described}
