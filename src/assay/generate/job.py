"""What a model is asked for on some samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from assay import dataset, llamafactory, model, store
from assay import engine as engines
from assay.errors import SettingsError
from assay.generate.settings import GenerateSettings, inherit_from
from assay.llamafactory.job import GenerateJob
from assay.model import Model
from assay.records import Sample

NAMES_OF_MEANS = ("devices", "devices_each", "max_unanswered")
# where answers are kept, and on what they are given, changes none of them; who gives them is said
# apart
NO_QUESTION = ("cache", "cache_gb", "engine", *NAMES_OF_MEANS)


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
    settings = templated(settings, resolved)
    resolved = model.pinned(resolved, settings.llamafactory)
    return resolved, job_for(resolved, store.read_rows(samples, Sample), settings)


def templated(settings: GenerateSettings, of: Model) -> GenerateSettings:
    """Return `settings` with what the model's own folder says besides. Raises SettingsError where
    nobody says which template it answers by."""
    if of.manifest:
        settings = inherit_from(settings, of.manifest)
    if not settings.template:
        raise SettingsError(
            f"generate.template is missing and {of.name} does not say which it was tuned with",
            "Set generate.template to a LLaMA-Factory template",
        )
    return settings


def job_for(resolved: Model, rows: Iterable[Sample], settings: GenerateSettings) -> GenerateJob:
    """Return what a model is asked for on some samples."""
    asked = asdict(settings)
    for name in NO_QUESTION:
        del asked[name]
    given = dict(settings.llamafactory)
    if resolved.revision:
        given["model_revision"] = resolved.revision
    asked["llamafactory"] = {name: given[name] for name in given if name not in llamafactory.SPREAD}
    job = GenerateJob(
        base=resolved.base,
        base_name=resolved.base_name,
        adapter=resolved.adapter,
        digest=resolved.digest,
        base_digest=resolved.base_digest,
        load_seed=settings.seed if resolved.seed is None else resolved.seed,
        dataset_hash=dataset.hash_samples(rows),
        settings=asked,
        spread={name: given[name] for name in given if name in llamafactory.SPREAD},
    )
    return replace(job, config_digest=model.config_digest(job.folders))


def versioned(job: GenerateJob) -> GenerateJob:
    """Return the job as this machine would do it: one that only reads results lacks what would."""
    return replace(job, versions=llamafactory.versions() | engines.versions(job.engine))
