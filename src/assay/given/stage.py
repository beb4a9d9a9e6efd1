"""Take a side's answers from those that preflight has read: the stage generate without a model."""

from __future__ import annotations

import filecmp
import shutil
from datetime import UTC, datetime
from pathlib import Path

from assay import dataset, placement, progress, resume, store
from assay.folder import GENERATION, GIVEN, LIKELIHOOD, PREDICTIONS, RESULTS, SAMPLES
from assay.generate import GenerateSettings
from assay.given.settings import USED
from assay.llamafactory.totals import unknown
from assay.records import AnswersFile, Generation, Sample, Side

ENGINE = "file"


def generate(
    folder: Path,
    out: Path,
    settings: GenerateSettings,
    *,
    side: Side,
    listen: progress.Listener = progress.ignore,
) -> Generation:
    """Put the answers of a side, which `prepare` has read into `folder`, and what they are, into
    `out`, as generate.generate does; a finished `out` for the same is returned as it is."""
    file = store.read_record(folder / GIVEN / f"{side}.json", AnswersFile)
    wanted = _generation(file, folder / SAMPLES, settings)
    answers = folder / GIVEN / f"{side}.jsonl"
    if done := _finished(out, wanted, answers):
        return done
    with progress.track(
        listen,
        "generate",
        side=side,
        total=wanted.samples,
        unit="samples",
        note=f"from {file.file}",
    ) as tracker:
        with store.replacing(out / PREDICTIONS) as copy, answers.open("rb") as given:
            shutil.copyfileobj(given, copy)
        for name in (RESULTS, LIKELIHOOD):
            (out / name).unlink(missing_ok=True)
        if settings.evaluate_loss:
            rows = store.read_rows(folder / SAMPLES, Sample)
            store.write_rows(out / LIKELIHOOD, (unknown(row.id) for row in rows))
        store.write_json(out / GENERATION, wanted)
        tracker.at(wanted.samples)
    return wanted


def _generation(file: AnswersFile, samples: Path, settings: GenerateSettings) -> Generation:
    return Generation(
        model=file.file,
        base_model="",
        digest="",
        template="",
        dataset_hash=dataset.hash_samples(store.read_rows(samples, Sample)),
        samples=store.count_rows(samples),
        seconds=0.0,
        settings={name: getattr(settings, name) for name in USED},
        results={},
        versions={},
        runner=placement.runner(),
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        engine=ENGINE,
        given=file,
    )


def _finished(out: Path, wanted: Generation, answers: Path) -> Generation | None:
    """Return what `out` is of, None unless it is of the `answers`, and has them still."""
    path, copy = out / GENERATION, out / PREDICTIONS
    if not path.is_file():
        return None
    done = store.read_record(path, Generation)
    if done.served:
        earlier, asked = {"model": done.model}, {"model": wanted.model}
        resume.refuse(out, f"{done.samples} answers", earlier, asked)
    if not copy.is_file() or not filecmp.cmp(answers, copy, shallow=False):
        return None
    same = (done.given, done.dataset_hash) == (wanted.given, wanted.dataset_hash)
    return done if same and dict(done.settings) == dict(wanted.settings) else None
