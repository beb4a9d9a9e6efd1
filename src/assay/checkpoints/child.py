"""The child process that answers for the checkpoints: `python -m assay.checkpoints.child WORK`.

WORK/asked.json says for which. What it has done is in a folder for each, and stays done.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from assay import ending, process, progress, store
from assay.checkpoints.asked import ASKED, CheckpointJobs
from assay.checkpoints.losses import likelihoods
from assay.checkpoints.models import models
from assay.engine import weights
from assay.engine.answering import CLAIMS, answer, answered
from assay.errors import check_all
from assay.folder import LIKELIHOOD, PREDICTIONS, PROGRESS
from assay.llamafactory.job import ERROR, GenerateJob
from assay.llamafactory.prompts import Coder
from assay.records import Sample


def main(work: Path) -> None:
    """Evaluate, and where it is asked answer, the samples with each checkpoint."""
    process.end_with_parent()
    with ending.left(work / ERROR):
        _do(work)


def _do(work: Path) -> None:
    asked = store.read_record(work / ASKED, CheckpointJobs)
    rows = list(store.read_rows(Path(asked.samples), Sample))
    todo = [name for name in asked.jobs if not is_done(asked, name, rows, work)]
    _prove([asked.jobs[name] for name in todo], work)
    with progress.track(
        progress.to_file(work / PROGRESS),
        "select",
        total=len(asked.jobs) * len(rows),
        unit="samples",
        done=(len(asked.jobs) - len(todo)) * len(rows),
    ) as tracker:
        for name, coding in models(asked, todo) if todo else ():
            tracker.advance(0, name)
            _evaluate(asked.jobs[name], coding, rows, work / name)
            if asked.answers:
                _answer(asked.jobs[name], coding, rows, work / name, tracker)
            else:
                tracker.advance(len(rows))


def _prove(jobs: list[GenerateJob], work: Path) -> None:
    """Raise InputError, a line for each, where a model of the `jobs` is not whole, and StageError
    where it is not the one that was asked for."""
    check_all(*(partial(weights.check, job) for job in jobs))
    weights.learn(work)
    for job in jobs:
        weights.prove(job)


def is_done(asked: CheckpointJobs, name: str, rows: list[Sample], work: Path) -> bool:
    """Return whether nothing of a checkpoint is left to do."""
    folder = work / name
    if not (folder / LIKELIHOOD).is_file():
        return False
    return not asked.answers or len(answered(folder)) == len(rows)


def _evaluate(job: GenerateJob, coding: Coder, rows: list[Sample], folder: Path) -> None:
    if (folder / LIKELIHOOD).is_file():
        return
    settings = job.settings
    found = likelihoods(coding, rows, settings["cutoff_len"], settings["batch_size"])
    store.write_rows(folder / LIKELIHOOD, found)


def _answer(
    job: GenerateJob, coding: Coder, rows: list[Sample], folder: Path, tracker: progress.Tracker
) -> None:
    shutil.rmtree(folder / CLAIMS, ignore_errors=True)  # what an earlier try had begun
    (folder / CLAIMS).mkdir()
    tracker.advance(len(answered(folder)))
    file = folder / PREDICTIONS
    answer(job, coding, rows, folder, file, lambda given: tracker.advance(len(given)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
