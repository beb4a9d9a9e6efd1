"""Rules of the gate, and choices among checkpoints, that a run could not decide."""

from __future__ import annotations

import math
from pathlib import Path

from assay import checkpoints, measured, settings, store, tags
from assay import gate as gating
from assay import metrics as measuring
from assay.config import Config
from assay.finetune import LAST, FinetuneSettings
from assay.gate import GatePolicy
from assay.plan import Plan


def all_built_in(config: Config) -> bool:
    """Return whether a gate's rules can be about nothing but what comes with Assay, or lies where
    the configuration does."""
    rubric = config.judge.rubric if config.judge else ""
    return set(config.metrics.metrics) <= set(measuring.CATALOGUE) and not store.is_remote(rubric)


def check_gate(config: Config, policy: GatePolicy) -> None:
    """Refuse rules on metrics that this run cannot prove anything of."""
    other = {
        name: f"{remedy}, or take it out of the gate"
        for name, remedy in measured.elsewhere(config).items()
    }
    gating.check_rules(policy, measured.specs(config), other)


def check_choice(config: Config, tuning: FinetuneSettings) -> None:
    """Refuse to choose a checkpoint by what this run does not measure of each sample; where there
    is no choice, by what is no metric at all."""
    specs, other = measured.specs(config), measured.elsewhere(config)
    if tuning.checkpoints == LAST:
        known = {*other, *(spec.name for spec in specs)}
        settings.check_value(tuning.select_by, known, "finetune.select_by", "metric of this run")
    else:
        checkpoints.check_metric(tuning.select_by, specs, measured.totals(config), other)


def check_schedule(plan: Plan, samples: int, artifacts: str, folder: Path) -> None:
    """Refuse a training that leaves no choice among its checkpoints, or no room for them here."""
    if plan.finetune is None:
        return
    devices = max(1, plan.cluster.gpus * plan.cluster.nodes) if artifacts else 1
    planned = checkpoints.check_schedule(plan.finetune, samples, devices)
    if planned and not artifacts:
        checkpoints.check_room(plan.finetune, planned.checkpoints, folder)


def check_sides(plan: Plan | None) -> None:
    """Refuse rules that compare with a baseline, where the run has none."""
    if plan and plan.gate and not plan.baseline:
        gating.check_baseline(plan.gate)


def check_samples(config: Config, samples: int | None) -> None:
    """Refuse rules that ask for more samples than there are, or than are judged; where these are
    not counted (None), than the settings let there be."""
    if config.gate is None or not (samples or all_built_in(config)):
        return
    most = samples or config.dataset.max_samples or math.inf
    names = {spec.name for spec in measured.judged(config)}
    judged = min(most, (config.judge.max_samples if config.judge else 0) or most)
    gating.check_pairs(config.gate, most, judged, names)
    if samples:
        gating.check_coverage(config.gate, samples, int(judged), names)


def check_subsets(config: Config, policy: GatePolicy, samples: Path) -> None:
    """Refuse rules on a part of the samples that there is not, or that is too small."""
    names = {spec.name for spec in measured.specs(config)}
    if gating.subsets(policy.rules, names):
        gating.check_subsets(policy, names, tags.read(samples))
