"""Answer the samples with a model behind an endpoint: the stage generate without any weights.

Each answer is appended to partial/asked.jsonl as it comes, so that a killed stage goes on where it
was and pays for nothing twice; what failed is asked again. The files at the end are those that
weights leave, generation.json last; the endpoint gives no likelihood, which they say. Nothing is
taken from generate.cache or put there: what an endpoint serves under a name may change at any time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Set
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from assay import dataset, placement, progress, resume, store
from assay.engine.endpoint import NAME as ENGINE
from assay.errors import StageError
from assay.folder import GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS
from assay.generate import GenerateSettings, work_folder
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.totals import unknown
from assay.records import Generation, Prediction, Sample
from assay.served.client import asked_as, check_settings
from assay.served.log import LOG, AskedLog, cut_prompts, read, sum_up
from assay.served.settings import ServedModel
from assay.served.sitting import answer_all
from assay.served.wording import remedy, told
from assay.text import flat

_DECODING = ("max_new_tokens", "do_sample", "temperature", "top_p", "seed", "evaluate_loss")
_ASKED = ("endpoint", "name", "query", "extra_body")
_MOVING = ("settings.served.endpoint",)  # the same model may be at another address


def generate(
    model: ServedModel,
    samples: Path,
    out: Path,
    settings: GenerateSettings,
    *,
    side: str = "",
    where: str = "model",
    listen: progress.Listener = progress.ignore,
) -> Generation:
    """Answer the samples in a JSONL file with a served model, as generate.generate does with
    weights; `where` is the setting that names the model.

    Raises InputError for what was not to work, and StageError where more than
    generate.max_unanswered of the samples got no answer, or the endpoint was waited for in vain:
    what is done is kept.
    """
    check_settings(model, settings, where)
    job = _job(model, samples, settings)
    if done := _finished(out, job, where):
        return done
    work, started = work_folder(out), time.monotonic()
    resume.take_up(work / resume.IDENTITY, job, _held, _names(where), _MOVING)
    asyncio.run(answer_all(model, settings, samples, work / LOG, side, where, listen))
    answered = read(work / LOG)
    _check_failed(model, answered, store.count_rows(samples), settings, where)
    return _finish(work, out, job, model, samples, answered, time.monotonic() - started)


def _job(model: ServedModel, samples: Path, settings: GenerateSettings) -> GenerateJob:
    decoding, asked = asdict(settings), asdict(model)
    return GenerateJob(
        base=model.name,
        base_name="",
        adapter="",
        digest="",
        load_seed=settings.seed,
        dataset_hash=dataset.hash_samples(store.read_rows(samples, Sample)),
        engine=ENGINE,
        settings={
            **{name: decoding[name] for name in _DECODING},
            "served": {name: asked[name] for name in _ASKED},
        },
    )


def _names(where: str) -> dict[str, str]:
    return {"settings.served": where, "settings": "generate"}


def _held(work: Path) -> str:
    """Return what was answered, "" for nothing."""
    answered = read(work / LOG)
    count = sum(answered.has(id_) for id_ in answered.rows)
    return f"{count} answers" if count else ""


def _finished(out: Path, job: GenerateJob, where: str) -> Generation | None:
    path = out / GENERATION
    if not path.is_file():
        return None
    done = store.read_record(path, Generation)
    earlier = {"settings": dict(done.settings), "dataset_hash": done.dataset_hash}
    wanted = {
        "settings": json.loads(store.to_json(job.settings)),
        "dataset_hash": job.dataset_hash,
    }
    if resume.is_same(earlier, wanted, _MOVING):
        if earlier != wanted and done.served:
            was, now = done.served.endpoint, job.settings["served"]["endpoint"]
            print(flat(f"{out} has all answers, from {was}: {now} is asked nothing"), flush=True)
        return done
    if not done.given:
        resume.refuse(out, f"{done.samples} answers", earlier, wanted, _names(where))
    return None


def _check_failed(
    model: ServedModel, answered: AskedLog, total: int, settings: GenerateSettings, where: str
) -> None:
    failed = answered.failed
    if failed.total() <= settings.max_unanswered * total:
        return
    [(cause, _)] = failed.most_common(1)
    first = next(answered.rows[id_] for id_ in answered.rows if answered.failing.get(id_) == cause)
    what = remedy(asked_as(model, settings), where, cause, first.detail)
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(failed.items()))
    raise StageError(
        f"{model} gave no answer to {failed.total()} of {total} samples ({causes}), such as "
        f"id={first.prediction.id}: {cause}: {told(first.detail, where)}, and "
        f"generate.max_unanswered is {settings.max_unanswered:g}",
        f"{what}. What was answered is kept: the same again asks only the rest",
    )


def _finish(
    work: Path,
    out: Path,
    job: GenerateJob,
    model: ServedModel,
    samples: Path,
    answered: AskedLog,
    seconds: float,
) -> Generation:
    def ids() -> Iterator[str]:
        return (row.id for row in store.read_rows(samples, Sample))

    cut = cut_prompts(ids, answered)
    were_cut = set(cut)
    count = store.write_rows(out / PREDICTIONS, (_row(answered, id_, were_cut) for id_ in ids()))
    for name in (RESULTS, LIKELIHOOD):
        (out / name).unlink(missing_ok=True)
    if job.settings["evaluate_loss"]:
        store.write_rows(out / LIKELIHOOD, map(unknown, ids()))
    store.write_rows(out / LOG, store.read_rows(work / LOG, dict))
    generation = Generation(
        model=model.name,
        base_model="",
        digest="",
        template="",
        dataset_hash=job.dataset_hash,
        samples=count,
        seconds=seconds,
        settings=job.settings,
        results={},
        versions={},
        runner=placement.runner(),
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        engine=ENGINE,
        served=sum_up(model, answered, cut),
    )
    store.write_json(out / GENERATION, generation)
    shutil.rmtree(work)
    return generation


def _row(answered: AskedLog, id_: str, cut: Set[str]) -> Prediction:
    prediction = answered.rows[id_].prediction
    return replace(prediction, prompt_truncated=True) if id_ in cut else prediction
