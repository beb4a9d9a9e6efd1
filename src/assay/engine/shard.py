"""One of several processes that evaluate and answer: `python -m assay.engine.shard SAMPLES WORK
SIDE PHASES BATCH_SIZE`, with torchrun's variables in its environment.

PHASES are `loss`, `answers`, or `loss+answers`, for which the model is loaded once, or
`loss+spread`, for which each process has a part of its weights.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay import ending, process, progress, store
from assay.engine import weights
from assay.engine.answering import answer
from assay.engine.loading import proven
from assay.engine.precision import precision
from assay.folder import PROGRESS
from assay.llamafactory import spreading
from assay.llamafactory.evaluate import evaluate
from assay.llamafactory.job import JOB, MEANS, GenerateJob, Means
from assay.llamafactory.order import StoredSamples, of_share
from assay.llamafactory.prompts import Coder, coder
from assay.records import Sample

LOSS, ANSWERS, SPREAD = "loss", "answers", "spread"


def main(samples: Path, work: Path, side: str, phases: str, batch_size: int) -> None:
    """Do this process's part, with what it has done in files of its own."""
    process.end_with_parent()
    rank = os.environ["RANK"]
    with ending.left(work / f"error-{rank}.json"):
        job = store.read_record(work / JOB, GenerateJob)
        share = store.read_record(work / MEANS, Means).share
        weights.learn(work)
        weights.prove(job)  # this process loads them for itself
        coding = coder(job)
        if LOSS in phases:
            part = of_share(samples, share, job.settings["batch_size"])
            coding = _evaluated(job, coding, part, work, side, batch_size, phases)
        if ANSWERS in phases:
            file = work / f"predictions-{rank}.jsonl"
            rows = store.read_rows(samples, Sample)
            answer(job, coding, rows, work, file, lambda _rows: None, share)


def _evaluated(
    job: GenerateJob,
    coding: Coder,
    rows: StoredSamples,
    work: Path,
    side: str,
    batch_size: int,
    phases: str,
) -> Coder:
    import torch

    first = os.environ["RANK"] == "0"
    listen = progress.to_file(work / PROGRESS) if first else progress.ignore
    spread = spreading.arguments(job, precision(coding.model)) if SPREAD in phases else {}
    try:
        # nothing but the whole evaluation can ask a model that lies in parts
        with proven(job, coding, asked=not spread):
            return evaluate(
                job, coding, rows, work, side, listen, batch_size=batch_size, spread=spread
            )
    except torch.OutOfMemoryError as error:
        print(f"assay: {error}", file=sys.stderr, flush=True)
        raise SystemExit(ending.NO_ROOM) from None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
