"""The first task: the run is checked, its samples are written, and the other tasks told theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay import checkpoints, dataset, progress, served, store
from assay import config as configuration
from assay import judge as judging
from assay import metrics as measuring
from assay import plan as planning
from assay import preflight as checking
from assay.plan import Plan
from assay.task.handover import handed, whole
from assay.task.training import CHOICE


def preflight(
    parameters: Mapping[str, Any],
    samples: Path,
    metadata: dict[str, Any],
    listen: progress.Listener = progress.ignore,
    *,
    artifacts: str = "",
) -> dict[str, Any]:
    """Check the run that a pipeline's parameters describe, prepare its samples, and return what
    the pipeline's other tasks are given, by the component's output names.

    `artifacts` is where the samples go, which a queue's workers must reach. A fine-tune that is
    not evaluated needs neither a judge nor what a gate asks of one, and has no baseline.
    """
    evaluates = parameters["enable_auto_eval"]
    wanted = parameters if evaluates else {**parameters, "mode": "auto", "gate": {}}
    config = configuration.from_parameters(whole(wanted))
    # the first to use it: a wrong address is told at once
    with store.relied_on(False), store.waiting(config.store):
        prepared = checking.prepare(config, samples, listen, artifacts=artifacts)
    plan, summary = prepared.plan, prepared.summary
    print(dataset.describe_summary(summary), flush=True)
    if prepared.estimate:
        print(judging.describe_estimate(prepared.estimate), flush=True)
    if prepared.suggestion:
        print(prepared.suggestion, flush=True)
    for name, remedy in measuring.missing(plan.metrics).items() if plan.metrics else ():
        print(f"{name} is unavailable here: {remedy}", flush=True)
    trained = summary.train.samples if summary.train else 0
    metadata.update(samples=summary.eval.samples, hash=summary.eval.hash, training_samples=trained)
    return outputs(plan) | ({} if evaluates else {"baseline_model": ""})


def outputs(plan: Plan) -> dict[str, Any]:
    """Return what a plan tells the pipeline's tasks: the configuration, the settings of each stage
    ({} for one that the run does not have), the models, and whether a gate decides."""
    plain = configuration.plain(plan.config)
    # preflight itself prepares the samples, and the report, which has the whole, decides
    stages = [name for name in configuration.SECTIONS if name not in ("dataset", "gate")]
    told = {
        "config": plain,
        **{name: plain.get(name, {}) for name in stages},
        "finetune": _tuning(plan),
        "generate": asdict(plan.generate),
        "baseline_model": served.text(plan.baseline),
        "model": served.text(plan.candidate),
        "base_model": plan.base_model,
        "gated": plan.gate is not None,
    }
    return {name: handed(value) for name, value in told.items()}


def _tuning(plan: Plan) -> dict[str, Any]:
    """Return the section finetune with what its task needs to choose a checkpoint: all that the
    choice depends on, and nothing else, so that KFP's cache has the model for the same."""
    by = planning.selecting(plan.config)
    given = configuration.plain(plan.config).get("finetune", {})
    return {**given, CHOICE: json.loads(store.to_json(checkpoints.to_plain(by)))} if by else given
