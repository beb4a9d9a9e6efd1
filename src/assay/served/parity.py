"""Serving parity: an endpoint's answers, read by the weights that it is compared with.

Where both sides have answered, a child process (assay.engine.likeness) loads the weights once more
and reads a part of the endpoint's answers. What that says is the report's business.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from assay import generate as generating
from assay import model, process, progress, resume, store
from assay.engine.likeness import ANSWERS
from assay.folder import PARITY, PARITY_OF, PREDICTIONS
from assay.generate import GenerateSettings
from assay.llamafactory.job import JOB
from assay.records import Prediction, Side

MOST = 64  # answers that are read
_LOG = "parity.log"


def compare(
    folder: Path,
    side: Side,
    weights: str,
    samples: Path,
    settings: GenerateSettings,
    *,
    base_model: str = "",
    listen: progress.Listener = progress.ignore,
) -> None:
    """Have the `weights` read what the endpoint of `side` answered in the run in `folder`, into
    parity.jsonl, unless they have. Raises InputError, or StageError with the end of the log."""
    model.fetch(weights, listen)
    _, job = generating.asked(weights, samples, settings, base_model)
    other: Side = "baseline" if side == "candidate" else "candidate"
    answers = list(_chosen(folder / side / PREDICTIONS, folder / other / PREDICTIONS))
    work = folder / "parity.partial"
    asked = {"job": job, "answers": store.hash_rows(answers)}
    if not answers or _done(folder, asked["answers"], job.digest):
        return
    resume.take_up(work / "asked.json", asked)
    store.write_json(work / JOB, job)
    store.write_rows(work / ANSWERS, answers)
    (work / PARITY).unlink(missing_ok=True)
    with progress.track(listen, "parity", total=len(answers), unit="answers") as tracker:
        command = process.python("assay.engine.likeness", str(samples), str(work))
        process.run(command, log=work / _LOG, what="The comparison with the weights")
        tracker.at(len(answers))
    store.write_json(folder / PARITY_OF, {"answers": asked["answers"], "digest": job.digest})
    (work / PARITY).replace(folder / PARITY)
    shutil.rmtree(work)


def _done(folder: Path, answers: object, digest: str) -> bool:
    """Whether the same weights have read the same answers."""
    path = folder / PARITY_OF
    same = path.is_file() and store.read_json(path) == {"answers": answers, "digest": digest}
    return same and (folder / PARITY).is_file()


def _chosen(served: Path, others: Path) -> Iterator[Prediction]:
    """Yield the answers to read: those that differ from the weights' own first, as far as their
    text is all that was written."""
    own = {row.id: row.output.strip() for row in store.read_rows(others, Prediction)}
    rows = [row for row in store.read_rows(served, Prediction) if _is_plain(row)]
    rows.sort(key=lambda row: row.output.strip() == own.get(row.id))
    yield from rows[:MOST]


def _is_plain(row: Prediction) -> bool:
    return not (row.unanswered or row.thought or row.written or row.wanted is not None)
