"""What a run is refused for by what it was asked for, and by what is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from assay import dataset, queues, report, scoring
from assay import finetune as finetuning
from assay import generate as generating
from assay import metrics as measuring
from assay.config import Config
from assay.errors import check_all
from assay.folder import SAMPLES
from assay.llamafactory.packages import check_packages
from assay.plan import Plan
from assay.preflight.asking import ask_model
from assay.preflight.models import check_model, models_of
from assay.preflight.rules import (
    all_built_in,
    check_choice,
    check_gate,
    check_samples,
    check_schedule,
    check_subsets,
)


def check_settings(config: Config) -> None:
    """Raise InputError, with a line for each problem, for what is wrong with `config` wherever it
    runs: no model, data, endpoint or store is looked at, nor what is installed only there."""
    check_all(*checks_anywhere(config), partial(check_samples, config, None))


def check_cluster(plan: Plan, artifacts: str) -> None:
    """Raise InputError, with a line for each problem, where the GPU stages could never run where
    they would; `artifacts` is a URI under the pipeline's root."""
    queue = queues.find(plan.cluster.runner)
    if queue:
        stage: queues.Stage = "finetune" if plan.finetune else "generate"  # which asks for more
        queue.check(stage, plan.cluster, artifacts)


def checks_anywhere(config: Config) -> Iterator[Callable[[], object]]:
    """Yield the checks that come out alike wherever they are made."""
    yield partial(generating.check, config.generate)
    if config.finetune:
        yield partial(finetuning.check_settings, config.finetune)
    if config.gate and all_built_in(config):
        yield partial(check_gate, config, config.gate)
    if config.finetune and all_built_in(config):
        yield partial(check_choice, config, config.finetune)


def checks_here(plan: Plan, artifacts: str) -> Iterator[Callable[[], object]]:
    """Yield the checks that look at models, stores, the cluster and what is installed."""
    for name, base in models_of(plan).items():
        yield partial(check_model, plan, name, base)
    if plan.finetune:
        tuning = plan.finetune.llamafactory
        yield partial(check_packages, tuning, "finetune.llamafactory")
    yield partial(check_packages, plan.generate.llamafactory, "generate.llamafactory")
    if plan.gate and not all_built_in(plan.config):
        yield partial(check_gate, plan.config, plan.gate)
    if plan.finetune and not all_built_in(plan.config):
        yield partial(check_choice, plan.config, plan.finetune)
    for name, own in plan.scoring.items():
        yield partial(scoring.named(name).check, own)
    if plan.config.history:
        yield partial(report.check_history, plan.config.history)
    if artifacts and (plan.finetune or plan.weights):  # an endpoint is asked without a queue
        yield partial(check_cluster, plan, artifacts)
        yield partial(generating.check_in_image, plan.generate)
    else:  # on a cluster other images answer
        yield partial(generating.check_here, plan.generate)


def checks_of_samples(
    plan: Plan, summary: dataset.DatasetSummary | None, folder: Path, artifacts: str
) -> Iterator[Callable[[], object]]:
    """Yield the checks that look at the samples in `folder`; without a `summary` there are none,
    and what can be asked without them still is."""
    config = plan.config
    yield partial(check_samples, config, summary.eval.samples if summary else None)
    for name, behind in plan.served.items():
        yield partial(ask_model, plan, name, behind, folder if summary else None)
    if summary and summary.train:
        yield partial(check_schedule, plan, summary.train.samples, artifacts, folder)
    if summary and config.gate:
        yield partial(check_subsets, config, config.gate, folder / SAMPLES)
    if summary and plan.metrics:
        yield partial(measuring.check_samples, plan.metrics, folder / SAMPLES)
