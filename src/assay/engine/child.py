"""The child process that answers: `python -m assay.engine.child SAMPLES WORK SIDE`.

WORK/job.json says what to do. The likelihood of the targets comes from LLaMA-Factory's evaluation,
prompts and what an answer comes to from its template, the answers from an engine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay import engine, process, progress, store
from assay.engine import device
from assay.folder import LIKELIHOOD, PREDICTIONS, PROGRESS
from assay.llamafactory.evaluate import evaluate
from assay.llamafactory.generation_config import decoding
from assay.llamafactory.job import DECODING, DEVICE, JOB, SECONDS, GenerateJob
from assay.llamafactory.prompts import coder, encode, prediction
from assay.records import Prediction, Sample


def main(samples: Path, work: Path, side: str) -> None:
    """Evaluate and answer; what an earlier try has finished is kept."""
    process.end_with_parent()
    started = time.monotonic()
    job = store.read_record(work / JOB, GenerateJob)
    rows = list(store.read_rows(samples, Sample))
    listen = progress.to_file(work / PROGRESS)
    if job.settings["evaluate_loss"] and not (work / LIKELIHOOD).is_file():
        evaluate(job, rows, work, side, listen)
    answer(job, rows, work, side, listen)
    store.write_json(work / DEVICE, device.name())
    store.write_json(work / SECONDS, time.monotonic() - started)


def answer(
    job: GenerateJob, rows: Sequence[Sample], work: Path, side: str, listen: progress.Listener
) -> None:
    """Append a prediction for each row that has none yet to work/predictions.jsonl."""
    done = _already_done(work / PREDICTIONS)
    with progress.track(
        listen, "generate", side=side, total=len(rows), unit="samples", done=len(done)
    ) as tracker:
        todo = [row for row in rows if row.id not in done]
        with store.appending(work / PREDICTIONS) as file:
            for predictions in _predictions(job, todo, work) if todo else ():
                for answered in predictions:
                    store.append(file, answered)
                tracker.advance(len(predictions))


def _already_done(path: Path) -> set[str]:
    return {row.id for row in store.read_rows(path, Prediction)} if path.is_file() else set()


def _predictions(
    job: GenerateJob, rows: Sequence[Sample], work: Path
) -> Iterator[list[Prediction]]:
    coding = coder(job)
    store.write_json(work / DECODING, decoding(coding))
    prompts = [encode(row, coding.reading, job.settings["cutoff_len"]) for row in rows]
    for batch in engine.find(job).answer(coding, prompts):
        yield [prediction(prompt, ids, coding.reading) for prompt, ids in batch]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
