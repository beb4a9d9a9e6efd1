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
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay import dataset, placement, progress, resume, store
from assay.engine.endpoint import NAME as ENGINE
from assay.errors import StageError
from assay.folder import GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS
from assay.generate import IDENTITY, GenerateSettings, work_folder
from assay.llamafactory.job import GenerateJob
from assay.records import Generation, Likelihood, Prediction, Sample
from assay.served.client import asked_as, check_settings
from assay.served.log import LOG, AskedLog, cut_prompts, read, sum_up
from assay.served.settings import ServedModel
from assay.served.sitting import answer_all
from assay.served.wording import remedy, told

NO_LIKELIHOOD = "no_weights"
_DECODING = ("max_new_tokens", "do_sample", "temperature", "top_p", "seed", "evaluate_loss")
_ASKED = ("endpoint", "name", "query", "extra_body")


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
    rows = list(store.read_rows(samples, Sample))
    job = _job(model, rows, settings)
    if done := _finished(out, job):
        return done
    work, started = work_folder(out), time.monotonic()
    resume.take_up(work / IDENTITY, job)
    asyncio.run(answer_all(model, settings, rows, work / LOG, side, where, listen))
    answered = read(work / LOG)
    _check_failed(model, answered, len(rows), settings, where)
    return _finish(work, out, job, model, rows, answered, time.monotonic() - started)


def _job(model: ServedModel, rows: Sequence[Sample], settings: GenerateSettings) -> GenerateJob:
    decoding, asked = asdict(settings), asdict(model)
    return GenerateJob(
        base=model.name,
        base_name="",
        adapter="",
        digest="",
        load_seed=settings.seed,
        dataset_hash=dataset.hash_samples(list(rows)),
        engine=ENGINE,
        settings={
            **{name: decoding[name] for name in _DECODING},
            "served": {name: asked[name] for name in _ASKED},
        },
    )


def _finished(out: Path, job: GenerateJob) -> Generation | None:
    path = out / GENERATION
    if not path.is_file():
        return None
    done = store.read_record(path, Generation)
    wanted = json.loads(store.to_json(job.settings))
    same = done.dataset_hash == job.dataset_hash and dict(done.settings) == wanted
    return done if same else None


def _check_failed(
    model: ServedModel, answered: AskedLog, total: int, settings: GenerateSettings, where: str
) -> None:
    failed = answered.failed
    if failed.total() <= settings.max_unanswered * total:
        return
    [(cause, _)] = failed.most_common(1)
    first = next(row for row in answered.rows.values() if row.failed == cause)
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
    rows: Sequence[Sample],
    answered: AskedLog,
    seconds: float,
) -> Generation:
    cut = cut_prompts(rows, answered)
    store.write_rows(out / PREDICTIONS, (_row(answered, row.id, cut) for row in rows))
    for name in (RESULTS, LIKELIHOOD):
        (out / name).unlink(missing_ok=True)
    if job.settings["evaluate_loss"]:
        store.write_rows(out / LIKELIHOOD, (_no_likelihood(row) for row in rows))
    store.write_rows(out / LOG, store.read_rows(work / LOG, dict))
    generation = Generation(
        model=model.name,
        base_model="",
        digest="",
        template="",
        dataset_hash=job.dataset_hash,
        samples=len(rows),
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


def _row(answered: AskedLog, id_: str, cut: Sequence[str]) -> Prediction:
    prediction = answered.rows[id_].prediction
    return replace(prediction, prompt_truncated=True) if id_ in cut else prediction


def _no_likelihood(row: Sample) -> Likelihood:
    names = ("eval_loss", "accuracy")
    unscored: dict[str, Any] = dict.fromkeys(names, NO_LIKELIHOOD)
    return Likelihood(id=row.id, values={}, unscored=unscored, tokens=0)
