"""Answer the samples with one model: samples + model -> predictions, and the targets' likelihood.

A child process (assay.engine.child) holds the model. Its answers land in an append-only
partial file, so a killed stage resumes where it was; predictions.jsonl appears whole, in the order
of the samples, and generation.json after it says how it came to be.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MinLen

from assay import dataset, decoding, llamafactory, model, placement, progress, resume, reuse, store
from assay import engine as engines
from assay.engine import AUTO, choice, parent
from assay.engine.answering import in_order as answers_in_order
from assay.engine.vllm import arguments, weights
from assay.errors import SettingsError
from assay.folder import GENERATE_LOG, GENERATION, LIKELIHOOD, PREDICTIONS, PROGRESS, RESULTS
from assay.llamafactory import thought
from assay.llamafactory.job import DECODING, DEVICE, JOB, MEANS, READ, SECONDS, GenerateJob, Means
from assay.llamafactory.order import of_share
from assay.model import Model
from assay.numeric import Seed
from assay.records import Generation, Likelihood, ModelManifest, Sample
from assay.share import WHOLE, Share

_MEANS = ("devices", "devices_each", "max_unanswered")
# where answers are kept, and on what they are given, changes none of them; who gives them is said
# apart
NO_QUESTION = ("cache", "cache_gb", "engine", *_MEANS)
IDENTITY = "identity.json"
UNFINISHED = store.Contents(
    identity=IDENTITY, without=("data", weights.FOLDER, PROGRESS, JOB, MEANS, READ)
)
"""What of `partial` a later try on another machine needs."""


@dataclass(frozen=True, kw_only=True)
class GenerateSettings:
    """Who answers, and how. `engine` is one of assay.engine.ENGINES, or auto: the first that can
    and that the samples are worth. Decoding is greedy and seeded unless `do_sample`. `batch_size`
    counts samples, of which an accelerator answers many times as many at once
    (assay.engine.capacity), `cutoff_len` and `max_new_tokens` tokens. `template` is inherited from
    the fine-tune where it is "". `evaluate_loss` adds the likelihood of the targets; with
    `score_thoughts` a reasoning model's thoughts are scored with its answers; `thought_marks` are
    the two that it writes them between, none for those of the template. Of the devices in
    sight `devices` are used (0: all), by each copy of the model `devices_each` (0: as many as its
    weights need); without an accelerator they are processes. Where more than a share of
    `max_unanswered` of the samples cannot be answered, the stage ends. `llamafactory` takes
    LLaMA-Factory's settings for loading a model and reading a prompt, `vllm` those of vLLM's server
    by their names there. `cache` is the folder or URI that keeps answers, so that no run gives them
    again: none for none, and "" for none on one machine, and for a place beside the artifacts in a
    pipeline whose artifacts lie in a store. More than `cache_gb` (10**9 bytes, 0: any number) are
    not kept: what is least recently used goes."""

    engine: str = AUTO
    template: str = ""
    batch_size: Annotated[int, Ge(1)] = 16
    cutoff_len: Annotated[int, Ge(16)] = 2048
    max_new_tokens: Annotated[int, Ge(1)] = 512
    do_sample: bool = False
    temperature: Annotated[float, Gt(0)] = 0.95
    top_p: Annotated[float, Gt(0), Le(1)] = 0.7
    top_k: Annotated[int, Ge(0)] = 50
    repetition_penalty: Annotated[float, Gt(0)] = 1.0
    seed: Seed = 42
    evaluate_loss: bool = True
    score_thoughts: bool = False
    thought_marks: list[Annotated[str, MinLen(1)]] = field(default_factory=list)
    devices: Annotated[int, Ge(0)] = 0
    devices_each: Annotated[int, Ge(0)] = 0
    max_unanswered: Annotated[float, Ge(0), Le(1)] = 0.5
    cache: str = ""
    cache_gb: Annotated[float, Ge(0)] = 10.0
    llamafactory: Mapping[str, Any] = field(default_factory=dict)
    vllm: Mapping[str, Any] = field(default_factory=dict)


def check(settings: GenerateSettings) -> None:
    """Raise InputError for what cannot work and can be known before a GPU is asked for."""
    engines.check(settings.engine)
    thought.check_marks(settings.thought_marks)
    reuse.check(settings.cache)
    if settings.template:
        llamafactory.check_template(settings.template, "generate")
    llamafactory.check_settings(settings.llamafactory, "generate.llamafactory")
    arguments.check(settings.vllm)


def inherit(
    settings: GenerateSettings, template: str, tuned: Mapping[str, Any]
) -> GenerateSettings:
    """Return `settings` with what is not set taken from a fine-tune: its template, and those of
    its LLaMA-Factory settings that change what the model sees or how it is loaded."""
    loading = {**llamafactory.inherited(tuned), **settings.llamafactory}
    return replace(settings, template=settings.template or template, llamafactory=loading)


def inherit_from(settings: GenerateSettings, manifest: ModelManifest) -> GenerateSettings:
    """Return `settings` with what is not set taken from a model folder, which may have come from
    anywhere: as `inherit`, but for what only the user may ask for."""
    tuned, refused = _tuned(manifest), withheld(settings, manifest)
    refused.update(dict.fromkeys(llamafactory.SPREAD))  # a file that the folder would name
    safe = {name: value for name, value in tuned.items() if name not in refused}
    return inherit(settings, manifest.template, safe)


def withheld(settings: GenerateSettings, manifest: ModelManifest) -> dict[str, Any]:
    """Return what a model folder asks for and `inherit_from` does not take from it."""
    return llamafactory.withheld(_tuned(manifest), settings.llamafactory)


def _tuned(manifest: ModelManifest) -> Mapping[str, Any]:
    tuned = manifest.settings.get("llamafactory")
    return tuned if isinstance(tuned, Mapping) else {}


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
    likelihood.jsonl to `out`; a finished `out` for the same input is returned as it is, and what
    `settings.cache` has is taken. `base_model` as in model.resolve; `place` is where `out` is known
    to others. Of a `share` only its samples are in the files, and none goes to the cache; they are
    put together by assay.merging. Raises InputError, or StageError with the end of the child's log.
    """
    check(settings)
    if not share.is_whole:
        settings = replace(settings, cache=reuse.NONE)
    begun = (out / GENERATION).is_file()
    if not begun and (taken := take(model_name, samples, out, settings, base_model, side, listen)):
        return taken
    model.fetch(model_name, listen)
    resolved, job = asked(model_name, samples, settings, base_model)
    if done := choice.finished(out, job, settings.engine):
        return done
    work = work_folder(out)
    who = choice.begun(work / IDENTITY, _identity(job), settings.engine)
    job = versioned(choice.by_engine(job, who, store.count_rows(samples), side))
    entry = reuse.find(settings.cache, resolved, job)
    resume.take_up(work / IDENTITY, _identity(job))
    store.write_json(work / JOB, job)
    (work / PROGRESS).unlink(missing_ok=True)
    if settings.evaluate_loss:
        part = of_share(samples, share, settings.batch_size)
        dataset.to_llamafactory(part, work / "data", "eval")
    by = {name: getattr(settings, name) for name in _MEANS}
    store.write_json(work / MEANS, Means(**by, share=share))
    parent.predict(samples, work, side, listen)
    done = _finish(work, out, resolved, job, samples, share)
    decoding.tell(done, side)
    if entry:
        reuse.keep(entry, out, done, place or str(out.resolve()), side, settings.cache_gb)
    return done


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


def asked(
    model_name: str,
    samples: Path,
    settings: GenerateSettings,
    base_model: str,
    *,
    weights: bool = True,
) -> tuple[Model, GenerateJob]:
    """Return the model, and what it is asked for. Raises InputError."""
    resolved = model.resolve(model_name, base_model, weights=weights)
    if resolved.manifest:
        settings = inherit_from(settings, resolved.manifest)
    resolved = model.pinned(resolved, settings.llamafactory)
    if not settings.template:
        raise SettingsError(
            f"generate.template is missing and {model_name} does not say which it was tuned with",
            "Set generate.template to a LLaMA-Factory template",
        )
    return resolved, job_for(resolved, store.read_rows(samples, Sample), settings)


def job_for(resolved: Model, rows: Iterable[Sample], settings: GenerateSettings) -> GenerateJob:
    """Return what a model is asked for on some samples."""
    asked = asdict(settings)
    for name in NO_QUESTION:
        del asked[name]
    given = dict(settings.llamafactory)
    if resolved.revision:
        given["model_revision"] = resolved.revision
    asked["llamafactory"] = {name: given[name] for name in given if name not in llamafactory.SPREAD}
    return GenerateJob(
        base=resolved.base,
        base_name=resolved.base_name,
        adapter=resolved.adapter,
        digest=resolved.digest,
        load_seed=settings.seed if resolved.seed is None else resolved.seed,
        dataset_hash=dataset.hash_samples(rows),
        settings=asked,
        spread={name: given[name] for name in given if name in llamafactory.SPREAD},
    )


def versioned(job: GenerateJob) -> GenerateJob:
    """Return the job as this machine would do it: one that only reads results lacks what would."""
    return replace(job, versions=llamafactory.versions() | engines.versions(job.engine))


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
