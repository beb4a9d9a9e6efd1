"""The stage: a child process answers, and what came of it appears whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from assay import dataset, decoding, model, placement, progress, resume, reuse, store
from assay.engine import choice, parent
from assay.engine.answering import held
from assay.engine.answering import in_order as answers_in_order
from assay.engine.vllm import weights
from assay.folder import GENERATE_LOG, GENERATION, LIKELIHOOD, PREDICTIONS, PROGRESS, RESULTS
from assay.generate.job import NAMES_OF_MEANS, asked, versioned
from assay.generate.settings import GenerateSettings, check
from assay.llamafactory.job import DECODING, DEVICE, JOB, MEANS, READ, SECONDS, GenerateJob, Means
from assay.llamafactory.order import of_share
from assay.model import Model
from assay.records import Generation, Likelihood, Sample
from assay.share import WHOLE, Share

UNFINISHED = store.Contents(
    identity=resume.IDENTITY, without=("data", weights.FOLDER, PROGRESS, JOB, MEANS, READ)
)
"""What of `partial` a later try on another machine needs."""


def generate(
    model_name: str,
    samples: Path,
    out: Path,
    settings: GenerateSettings,
    *,
    base_model: str = "",
    side: str = "",
    place: str = "",
    share: Share = WHOLE,
    listen: progress.Listener = progress.ignore,
) -> Generation:
    """Answer the samples in a JSONL file with the model `model_name` (directory, URI or hub id).

    Writes predictions.jsonl, generation.json and, with `evaluate_loss`, all_results.json and
    likelihood.jsonl to `out`; a finished `out` for the same input is returned as it is, one of
    other settings is refused, and what `settings.cache` has is taken. `base_model` as in
    model.resolve; `place` is where `out` is known to others. Of a `share` only its samples are in
    the files, and none goes to the cache; they are put together by assay.merging. Raises
    InputError, or StageError with the end of the child's log.
    """
    check(settings)
    if not share.is_whole:
        settings = replace(settings, cache=reuse.NONE)
    begun = (out / GENERATION).is_file()
    if not begun and (taken := take(model_name, samples, out, settings, base_model, side, listen)):
        return taken
    model.fetch(model_name, listen)
    resolved, job = asked(model_name, samples, settings, base_model)
    if done := choice.finished(out, job, settings.engine, GenerateSettings):
        return done
    work = work_folder(out)
    who = choice.begun(work / resume.IDENTITY, _identity(job), settings.engine)
    job = versioned(choice.by_engine(job, who, store.count_rows(samples), side))
    entry = reuse.find(settings.cache, resolved, job)
    _take_up(work, job, samples, settings, share)
    parent.predict(samples, work, side, listen)
    done = _finish(work, out, resolved, job, samples, share)
    decoding.tell(done, side)
    if entry:
        reuse.keep(entry, out, done, place or str(out.resolve()), side, settings.cache_gb)
    return done


def _take_up(
    work: Path, job: GenerateJob, samples: Path, settings: GenerateSettings, share: Share
) -> None:
    """Write what the child reads into `work`, where an earlier try of the same job goes on."""
    resume.take_up(work / resume.IDENTITY, _identity(job), held, {"settings": "generate"})
    store.write_json(work / JOB, job)
    (work / PROGRESS).unlink(missing_ok=True)
    if settings.evaluate_loss:
        part = of_share(samples, share, settings.batch_size)
        dataset.to_llamafactory(part, work / "data", "eval")
    by = {name: getattr(settings, name) for name in NAMES_OF_MEANS}
    store.write_json(work / MEANS, Means(**by, share=share))


def work_folder(out: Path) -> Path:
    """Return where the answers come in that go to `out` when they are complete."""
    return out / "partial"


def _identity(job: GenerateJob) -> GenerateJob:
    """Return the job as any machine would have it: one may keep its copies elsewhere."""
    adapters = model.joined([store.in_cache(adapter) for adapter in job.adapters])
    return replace(job, base=store.in_cache(job.base), adapter=adapters)


def take(
    model_name: str,
    samples: Path,
    out: Path,
    settings: GenerateSettings,
    base_model: str,
    side: str,
    listen: progress.Listener,
    *,
    accelerated: bool | None = None,
) -> Generation | None:
    """Return what `generate` would, where `settings.cache` has it, else None: for this no weights
    are fetched. `accelerated` is whether more than a CPU would answer, None: as on this machine.

    Raises InputError where the model or the samples cannot be read.
    """
    if settings.cache in ("", reuse.NONE):
        return None
    resolved, job = asked(model_name, samples, settings, base_model, weights=False)
    job = versioned(choice.by_engine(job, settings.engine, store.count_rows(samples)))
    entry = reuse.find(settings.cache, resolved, job)
    rows = store.read_rows(samples, Sample)
    taken = reuse.take(entry, rows, out, side, accelerated) if entry else None
    if taken and taken.origin:
        made = taken.origin.made[:16].replace("T", " ")
        note = f"predictions taken from the cache (made {made} UTC, {taken.origin.place})"
        done = progress.Progress(stage="generate", side=side, state="done", done=taken.samples)
        listen(replace(done, total=taken.samples, unit="samples", note=note))
    return taken


def _finish(
    work: Path, out: Path, resolved: Model, job: GenerateJob, samples: Path, share: Share
) -> Generation:
    ids = (row.id for row in store.read_rows(samples, Sample))
    rows = answers_in_order(work, ids, whole=share.is_whole)
    count = store.write_rows(out / PREDICTIONS, rows)
    results = store.read_json(work / RESULTS) if (work / RESULTS).is_file() else {}
    (out / RESULTS).unlink(missing_ok=True)
    if results:
        store.write_json(out / RESULTS, results)
    (out / LIKELIHOOD).unlink(missing_ok=True)
    if (work / LIKELIHOOD).is_file():
        store.write_rows(out / LIKELIHOOD, store.read_rows(work / LIKELIHOOD, Likelihood))
    generation = Generation(
        model=resolved.name,
        base_model=resolved.base_name,
        digest=resolved.digest,
        base_digest=resolved.base_digest,
        config_digest=job.config_digest,
        template=job.settings["template"],
        dataset_hash=job.dataset_hash,
        samples=count,
        seconds=store.read_json(work / SECONDS),
        settings=job.settings,
        results=results,
        versions=job.versions,
        runner=placement.runner(),
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        device=store.read_json(work / DEVICE),
        engine=job.engine,
        decoding=decoding.read(work / DECODING),
    )
    store.write_json(out / GENERATION, generation)
    (work / GENERATE_LOG).replace(out / GENERATE_LOG)
    shutil.rmtree(work)
    return generation
