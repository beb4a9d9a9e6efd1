"""Which engine a job is for, and which one an earlier try began it with, or finished it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from assay import resume, store
from assay.engine import AUTO, choose
from assay.engine.answering import done
from assay.errors import SettingsError
from assay.folder import GENERATION
from assay.llamafactory.job import GenerateJob
from assay.records import Generation
from assay.settings import with_defaults
from assay.text import flat


def by_engine(job: GenerateJob, asked: str, samples: int, side: str | None = None) -> GenerateJob:
    """Return the job with who answers, which is told where there is a `side`."""
    choice = choose(asked, job, samples)
    if side is not None:
        print(
            flat(f"{side or 'generate'}: {choice.name} answers ({choice.why})"),
            file=sys.stderr,
            flush=True,
        )
    return of_engine(job, choice.name)


def of_engine(job: GenerateJob, name: str) -> GenerateJob:
    """Return the job as one of the engine `name`, without what is another's to know."""
    others = {"vllm"} - {name}
    asked = {setting: value for setting, value in job.settings.items() if setting not in others}
    return replace(job, engine=name, settings=asked)


def begun(identity: Path, job: GenerateJob, asked: str) -> str:
    """Return who answers where an earlier try may have begun the same `job`, which then the file
    `identity` holds: auto goes on with who did. Raises SettingsError where another is asked for:
    their answers would mix."""
    if not identity.is_file():
        return asked
    earlier, work = store.read_record(identity, GenerateJob), identity.parent
    same = replace(earlier, versions=job.versions) == of_engine(job, earlier.engine)
    answers = len(done(work)) if same else 0
    if answers and asked not in (AUTO, earlier.engine):
        raise SettingsError(
            f"{work.parent} holds {answers} answers of {earlier.engine}, and generate.engine is "
            f"{asked}: answers of two engines would mix",
            f"Set generate.engine: {earlier.engine}, or begin another run",
        )
    return earlier.engine if answers else asked


def finished(out: Path, job: GenerateJob, asked: str, settings: type) -> Generation | None:
    """Return what an earlier try made of the same `job` in `out`, by the engine that is asked for,
    None where there is no such. Raises SettingsError where it was made with other `settings`, of
    which it may lack those of a later version."""
    path = out / GENERATION
    if not path.is_file():
        return None
    made = store.read_record(path, Generation)
    asked_of = of_engine(job, made.engine)
    if made.served:
        _refuse(out, made, {"model": made.model}, {"model": job.base_name})
    if not (
        made.digest == job.digest
        and made.base_model == job.base_name
        and made.base_digest in ("", job.base_digest)  # "" from before it was kept
        and made.config_digest in ("", job.config_digest)
        and made.dataset_hash == job.dataset_hash
    ):
        return None
    known = {*made.settings, *asked_of.settings}
    then = with_defaults(settings, made.settings).items()
    earlier = {"generate": {name: value for name, value in then if name in known}}
    earlier["generate"]["engine"] = made.engine
    engine = made.engine if asked == AUTO else asked
    wanted = {"generate": {**json.loads(store.to_json(asked_of.settings)), "engine": engine}}
    if earlier == wanted:
        return made
    _refuse(out, made, earlier, wanted)
    return None


def _refuse(out: Path, made: Generation, earlier: object, wanted: object) -> None:
    resume.refuse(out, f"{made.samples} answers", earlier, wanted)
