"""Answering the samples in one process: a row for each, appended as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from assay import engine, store
from assay.engine.precision import precision
from assay.engine.transformers import Transformers
from assay.errors import StageError
from assay.folder import LIKELIHOOD
from assay.llamafactory.generation_config import decoding
from assay.llamafactory.job import DECODING, GenerateJob
from assay.llamafactory.prompts import Coder, encode, failed, prediction
from assay.records import FAILURES, Prediction, Sample
from assay.share import WHOLE, Share

CLAIMS, PARTS = "claims", "predictions*.jsonl"


def answered(work: Path) -> dict[str, Prediction]:
    """Return the rows that the processes of all tries have written, by id, the last one of each;
    one that was answered is never asked again, so it is the last."""
    paths = sorted(work.glob(PARTS))
    rows = [row for path in paths for row in store.read_rows(path, Prediction)]
    rows.sort(key=lambda row: row.unanswered not in FAILURES)
    return {row.id: row for row in rows}


def done(work: Path) -> set[str]:
    """Return the ids of what needs no asking any more: a sample that failed is asked again."""
    rows = (row for path in work.glob(PARTS) for row in store.read_rows(path, Prediction))
    return {row.id for row in rows if row.unanswered not in FAILURES}


def held(work: Path) -> str:
    """Return what of a generation is there and not to be lost, "" for nothing."""
    if count := len(done(work)):
        return f"{count} answers"
    return "the loss of its targets" if (work / LIKELIHOOD).is_file() else ""


def in_order(work: Path, ids: Iterable[str], *, whole: bool) -> Iterator[Prediction]:
    """Yield what is `answered` of the `ids`, in their order; in memory is where each row is. Raises
    StageError where one of the `whole` has no row."""
    places: dict[str, tuple[int, int]] = {}
    failed: set[str] = set()
    paths = sorted(work.glob(PARTS))
    for number, path in enumerate(paths):
        for start, row in store.placed_rows(path, Prediction):
            if row.unanswered not in FAILURES:
                failed.discard(row.id)
            elif row.id in places and row.id not in failed:
                continue
            else:
                failed.add(row.id)
            places[row.id] = (number, start)
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        for name in ids:
            if whole and name not in places:
                raise StageError(f"the sample id={name} has no row in {work}")
            if name in places:
                number, start = places[name]
                yield store.row_at(files[number], start, Prediction)


def answer(
    job: GenerateJob,
    coder: Coder,
    rows: Iterable[Sample],
    work: Path,
    file: Path,
    told: Callable[[list[Prediction]], None],
    share: Share = WHOLE,
) -> None:
    """Append a prediction to `file` for each of the `rows` in the `share` that no process has
    answered in `work` nor claimed there, and say so by `told`."""
    known = done(work)
    with store.appending(file) as out:
        for predictions in _predictions(job, coder, rows, work, known, share):
            for row in predictions:
                store.append(out, row)
            told(predictions)


def _predictions(
    job: GenerateJob,
    coder: Coder,
    rows: Iterable[Sample],
    work: Path,
    known: set[str],
    share: Share,
) -> Iterator[list[Prediction]]:
    answerer = engine.find(job)
    if isinstance(answerer, Transformers):  # its batches are of all the rows
        answerer = replace(
            answerer,
            done=known,
            claim=lambda number: share.has(number) and _claim(work, number),
        )
    else:
        rows = (row for row in share.part(rows) if row.id not in known)
    prompts = (encode(row, coder.reading, job.settings["cutoff_len"]) for row in rows)
    used = replace(decoding(coder), dtype=precision(coder.model))
    store.write_json(work / DECODING, used)
    for batch in answerer.answer(coder, prompts):
        yield [
            prediction(prompt, ids, coder.reading) if isinstance(ids, list) else failed(prompt, ids)
            for prompt, ids in batch
        ]


def _claim(work: Path, number: int) -> bool:
    """Return whether this process is the first to claim a batch: those that are free sooner take
    more of them, so that all end together."""
    try:
        (work / CLAIMS / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
