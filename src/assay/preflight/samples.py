"""The run's samples, written once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from assay import dataset, model, store
from assay import given as giving
from assay import metrics as measuring
from assay.finetune import LAST
from assay.folder import CONFIG, SUMMARY
from assay.plan import Plan


def write_samples(plan: Plan, folder: Path, *, tokens: bool = True) -> dataset.DatasetSummary:
    """Write the run's samples, unless it has begun with some, and return what they are; their
    `tokens` can be counted only with models that were found. Raises InputError."""
    if begun(folder):
        giving.check_unchanged(plan.given, folder)
        return store.read_record(folder / SUMMARY, dataset.DatasetSummary)
    settings, taken = plan.config.dataset, None
    if plan.given:
        comparing = measuring.need_targets(plan.metrics.metrics) if plan.metrics else ()
        taken = giving.read(
            plan.given,
            settings,
            plan.generate,
            comparing=next(iter(comparing), ""),
            others=len(plan.given) < len(plan.sides),
        )
    summary = dataset.prepare(
        replace(settings, eval=taken.source) if taken else settings,
        folder,
        evaluation=taken.data if taken else None,
        select=plan.finetune is not None and plan.finetune.checkpoints != LAST,
        train_tokens=_train_tokens(plan) if tokens else None,
        eval_tokens=_eval_tokens(plan) if tokens else None,
        needs_target=_needs_target(plan),
    )
    if taken:
        giving.write(taken, folder)
    return summary


def _needs_target(plan: Plan) -> bool:
    """Return whether an answer is compared with the sample's own: a judge can do without."""
    names = plan.metrics.metrics if plan.metrics else ()
    return plan.generate.evaluate_loss or bool(measuring.need_targets(names))


def _train_tokens(plan: Plan) -> dataset.Tokens | None:
    tuning = plan.finetune
    if not tuning:
        return None
    return dataset.Tokens(
        model=tuning.base_model, template=tuning.template, cutoff_len=tuning.cutoff_len
    )


def _eval_tokens(plan: Plan) -> dataset.Tokens | None:
    models = [plan.finetune.base_model] if plan.finetune else plan.weights
    if not models:
        return None  # an endpoint has a tokenizer of its own
    return dataset.Tokens(
        model=model.names(models[0])[-1],
        template=plan.generate.template,
        cutoff_len=plan.generate.cutoff_len,
    )


def begun(folder: Path) -> bool:
    """Return whether a run has begun in `folder`: its configuration is written last."""
    return (folder / CONFIG).is_file() and (folder / SUMMARY).is_file()
