"""The process that only evaluates: `python -m assay.engine.loss SAMPLES WORK SIDE`.

Its memory is free when it has ended, for an engine whose model is in a process of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from assay import llamafactory, process, progress, store
from assay.folder import PROGRESS
from assay.llamafactory.evaluate import evaluate
from assay.llamafactory.job import JOB, GenerateJob
from assay.records import Sample

LOG = "loss.log"


def apart(samples: Path, work: Path, side: str) -> None:
    """Evaluate the model of work/job.json in another process. Raises StageError."""
    process.run(
        process.python("assay.engine.loss", str(samples), str(work), side),
        log=work / LOG,
        what="Evaluation",
        environment=llamafactory.one_device(os.environ),
    )


def main(samples: Path, work: Path, side: str) -> None:
    """Evaluate, as assay.engine.child does."""
    process.end_with_parent()
    job = store.read_record(work / JOB, GenerateJob)
    rows = list(store.read_rows(samples, Sample))
    evaluate(job, rows, work, side, progress.to_file(work / PROGRESS))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
