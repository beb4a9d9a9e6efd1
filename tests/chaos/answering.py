"""Stands in for a model that answers, `python -m tests.chaos.answering SAMPLES WORK SIDE`: it gives
an answer after the other, and goes on behind those that there are."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from assay import process, progress, store
from assay.folder import PREDICTIONS, PROGRESS
from assay.llamafactory.job import DEVICE, MEANS, SECONDS, Means
from assay.records import Prediction, Sample
from tests.chaos import tally
from tests.chaos.training import STEP_SECONDS


def main(samples: Path, work: Path, side: str) -> None:
    """Answer what has no answer yet."""
    process.end_with_parent()
    share = store.read_record(work / MEANS, Means).share
    rows, given = share.part(list(store.read_rows(samples, Sample))), work / PREDICTIONS
    done = {row.id for row in store.read_rows(given, Prediction)} if given.is_file() else set()
    tally.note("begin", len(done))
    todo, total = [row for row in rows if row.id not in done], len(rows)
    listen = progress.to_file(work / PROGRESS)
    with (
        progress.track(
            listen, "generate", side=side, total=total, unit="samples", done=len(done)
        ) as tracker,
        store.appending(given) as file,
    ):
        for number, row in enumerate(todo, len(done) + 1):
            time.sleep(float(os.environ.get(STEP_SECONDS, "0.5")))
            store.append(file, answer_to(row.id))
            tally.note("step", number)
            tracker.advance(1)
    store.write_json(work / DEVICE, "none")
    store.write_json(work / SECONDS, 1.0)
    tally.note("end", total)


def answer_to(row: str) -> Prediction:
    """Return the answer to the sample of that id."""
    return Prediction(id=row, output=row, finish="stop", prompt_tokens=1, output_tokens=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
