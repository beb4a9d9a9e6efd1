"""The stage's end of the child process that answers: it is started, followed and ended here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from assay import ending, process, progress, store
from assay.engine import weights
from assay.errors import StageError
from assay.folder import GENERATE_LOG, PROGRESS
from assay.llamafactory.job import ERROR


def predict(samples: Path, work: Path, side: str, listen: progress.Listener) -> None:
    """Have the child do what is asked in `work`. Raises what it left, or StageError with the end of
    its log."""
    latest = progress.Progress(stage="generate", side=side, note="loading the model")
    listen(latest)
    rows = store.tail(work / PROGRESS)
    (work / ERROR).unlink(missing_ok=True)
    weights.tell(work)

    def relay() -> None:
        nonlocal latest
        for row in rows():
            latest = progress.Progress(**row)
            listen(latest)

    try:
        process.run(
            process.python("assay.engine.child", str(samples), str(work), side),
            log=work / GENERATE_LOG,
            what="Generation",
            on_tick=relay,
        )
    except StageError as error:
        ended = ending.read(work / ERROR) or error
        _tell(latest, ended, listen)
        raise ended from None
    except BaseException as error:
        _tell(latest, error, listen)
        raise


def _tell(latest: progress.Progress, error: BaseException, listen: progress.Listener) -> None:
    """Report a failure that the child itself has not: it may have been killed, or end by it."""
    if latest.state != "failed":
        listen(replace(latest, state="failed", note=progress.ended_by(error)))
