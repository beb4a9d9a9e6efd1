"""Before anything is spent: the plan is made, what cannot work is refused, the samples are written.

With `prepare` a run on this machine (run.py) begins, and the first task of a pipeline (task.py).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from assay import (
    checkpoints,
    dataset,
    engine,
    measured,
    model,
    progress,
    queues,
    report,
    scoring,
    served,
    store,
    tags,
)
from assay import finetune as finetuning
from assay import gate as gating
from assay import generate as generating
from assay import given as giving
from assay import judge as judging
from assay import metrics as measuring
from assay import plan as planning
from assay.config import Config
from assay.errors import Problems, check_all
from assay.finetune import LAST
from assay.folder import CONFIG, SAMPLES, SUMMARY
from assay.gate import GatePolicy
from assay.judge import Estimate
from assay.llamafactory.packages import check_packages, check_quantizer
from assay.model import Model
from assay.plan import Plan
from assay.progress import Progress
from assay.text import flat


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan that was checked and whose samples are written: what they are, what the judge will
    take (None without one), and which metrics the targets ask for ("" for no others)."""

    plan: Plan
    summary: dataset.DatasetSummary
    estimate: Estimate | None
    suggestion: str = ""


def prepare(
    config: Config,
    folder: Path,
    listen: progress.Listener = progress.ignore,
    *,
    artifacts: str = "",
) -> Prepared:
    """Return the plan of `config`, checked, its samples written to `folder` unless they are there.

    `artifacts` is where a pipeline's artifacts go, which a queue's workers must reach; "" where no
    queue is used. Raises InputError with a line for each problem.
    """
    problems, plan, summary, estimate = Problems(), None, None, None
    with problems.noted():
        plan = planning.make(config)
    draft = plan or planning.draft(config)  # what else is wrong is worth knowing too
    for check in (*_checks(draft.config), *_checks_here(draft, artifacts)):
        with problems.noted():
            check()
    with problems.noted():
        _check_sides(plan)
    with problems.noted():
        summary = write_samples(draft, folder, tokens=not problems.any)
    with problems.noted():
        _check_samples(draft.config, summary.eval.samples if summary else None)
    for name, behind in draft.served.items():
        with problems.noted():
            _ask_model(draft, name, behind, folder if summary else None)
    with problems.noted():
        if summary and summary.train:
            _check_schedule(draft, summary.train.samples, artifacts, folder)
    with problems.noted():
        if summary and draft.config.gate:
            _check_subsets(draft.config, draft.config.gate, folder / SAMPLES)
    with problems.noted():
        if summary and draft.metrics:
            measuring.check_samples(draft.metrics, folder / SAMPLES)
    with problems.noted():
        estimate = _ask_judge(draft, folder if summary else None)
    problems.check()
    assert plan  # noqa: S101  or there was a problem
    assert summary  # noqa: S101
    tell_withheld(plan)
    prepared = Prepared(
        plan=plan, summary=summary, estimate=estimate, suggestion=_suggestion(plan, folder)
    )
    if not _begun(folder):
        _tell(prepared, listen)
    return prepared


def check_settings(config: Config) -> None:
    """Raise InputError, with a line for each problem, for what is wrong with `config` wherever it
    runs: no model, data, endpoint or store is looked at, nor what is installed only there."""
    check_all(*_checks(config), partial(_check_samples, config, None))


def check_cluster(plan: Plan, artifacts: str) -> None:
    """Raise InputError, with a line for each problem, where the GPU stages could never run where
    they would; `artifacts` is a URI under the pipeline's root."""
    queue = queues.find(plan.cluster.runner)
    if queue:
        stage: queues.Stage = "finetune" if plan.finetune else "generate"  # which asks for more
        queue.check(stage, plan.cluster, artifacts)


def write_samples(plan: Plan, folder: Path, *, tokens: bool = True) -> dataset.DatasetSummary:
    """Write the run's samples, unless it has begun with some, and return what they are; their
    `tokens` can be counted only with models that were found. Raises InputError."""
    if _begun(folder):
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


def tell_withheld(plan: Plan) -> None:
    """Say what is worth knowing of the models, and what a model's folder asks for that only the
    user may: it is not done."""
    for name, base in _models(plan).items():
        resolved = model.resolve(name, base, weights=False)
        for told in (*_withheld(plan, resolved), *_remarks(plan, resolved)):
            print(flat(told), file=sys.stderr, flush=True)


def _withheld(plan: Plan, resolved: Model) -> Iterator[str]:
    manifest = resolved.manifest
    for setting in generating.withheld(plan.generate, manifest) if manifest else ():
        yield (
            f"{resolved.name} asks for {setting}, which is not taken from a model's folder. If you "
            f"trust it, set generate.llamafactory.{setting}"
        )


def _remarks(plan: Plan, resolved: Model) -> Iterator[str]:
    return model.remarks(resolved, plan.generate.llamafactory, "generate.llamafactory")


def _models(plan: Plan) -> dict[str, str]:
    """Return the models whose weights are there before the run, and the base that is set for
    each."""
    tuned = [plan.finetune.base_model] if plan.finetune else []
    names = [*tuned, *plan.weights]
    return {name: plan.base_model if name == plan.candidate else "" for name in names}


def _check_model(plan: Plan, name: str, base: str) -> None:
    """Refuse a model that could not be loaded, before anything tries."""
    resolved = model.resolve(name, base, weights=False)
    model.check_whole(resolved)
    check_quantizer(model.quantization(resolved), resolved.base_name)
    model.check_words(resolved, plan.generate.llamafactory, "generate.llamafactory")
    model.check_merge(resolved, plan.generate.llamafactory, "generate.llamafactory")


def _tell(prepared: Prepared, listen: progress.Listener) -> None:
    summary = prepared.summary
    used = summary.eval.samples + (summary.train.samples if summary.train else 0)
    done = Progress(stage="dataset", state="done", done=used, total=used, unit="samples")
    listen(replace(done, note=dataset.sum_up(summary)))
    if told := dataset.unused_columns(summary):
        listen(Progress(stage="preflight", state="done", note=told))
    if prepared.estimate:
        note = judging.describe_estimate(prepared.estimate)
        listen(Progress(stage="preflight", state="done", note=note))
    if prepared.suggestion:
        listen(Progress(stage="preflight", state="done", note=prepared.suggestion))


def _suggestion(plan: Plan, folder: Path) -> str:
    asked = plan.metrics
    return measuring.suggest(asked.metrics, folder / SAMPLES, asked.task) if asked else ""


def _begun(folder: Path) -> bool:
    """Return whether a run has begun in `folder`: its configuration is written last."""
    return (folder / CONFIG).is_file() and (folder / SUMMARY).is_file()


def _checks(config: Config) -> Iterator[Callable[[], object]]:
    """Yield the checks that come out alike wherever they are made."""
    yield partial(generating.check, config.generate)
    if config.finetune:
        yield partial(finetuning.check_settings, config.finetune)
    if config.gate and _all_built_in(config):
        yield partial(_check_gate, config, config.gate)
    if config.finetune and config.finetune.checkpoints != LAST and _all_built_in(config):
        yield partial(_check_metric, config, config.finetune.select_by)


def _checks_here(plan: Plan, artifacts: str) -> Iterator[Callable[[], object]]:
    """Yield the checks that look at models, stores, the cluster and what is installed."""
    for name, base in _models(plan).items():
        yield partial(_check_model, plan, name, base)
    if plan.finetune:
        tuning = plan.finetune.llamafactory
        yield partial(check_packages, tuning, "finetune.llamafactory")
    yield partial(check_packages, plan.generate.llamafactory, "generate.llamafactory")
    if plan.gate and not _all_built_in(plan.config):
        yield partial(_check_gate, plan.config, plan.gate)
    if plan.finetune and plan.finetune.checkpoints != LAST and not _all_built_in(plan.config):
        yield partial(_check_metric, plan.config, plan.finetune.select_by)
    for name, own in plan.scoring.items():
        yield partial(scoring.named(name).check, own)
    if plan.config.history:
        yield partial(report.check_history, plan.config.history)
    if artifacts and (plan.finetune or plan.weights):  # an endpoint is asked without a queue
        yield partial(check_cluster, plan, artifacts)
    else:  # on a cluster other images answer
        yield partial(engine.check_here, plan.config.generate.engine)


def _all_built_in(config: Config) -> bool:
    """Return whether a gate's rules can be about nothing but what comes with Assay, or lies where
    the configuration does."""
    rubric = config.judge.rubric if config.judge else ""
    return set(config.metrics.metrics) <= set(measuring.CATALOGUE) and not store.is_remote(rubric)


def _check_gate(config: Config, policy: GatePolicy) -> None:
    """Refuse rules on metrics that this run cannot prove anything of."""
    other = {
        name: f"{remedy}, or take it out of the gate"
        for name, remedy in measured.elsewhere(config).items()
    }
    gating.check_rules(policy, measured.specs(config), other)


def _check_metric(config: Config, by: str) -> None:
    """Refuse to choose a checkpoint by what this run does not measure of each sample."""
    checkpoints.check_metric(
        by, measured.specs(config), measured.totals(config), measured.elsewhere(config)
    )


def _check_schedule(plan: Plan, samples: int, artifacts: str, folder: Path) -> None:
    """Refuse a training that leaves no choice among its checkpoints, or no room for them here."""
    if plan.finetune is None:
        return
    devices = max(1, plan.cluster.gpus * plan.cluster.nodes) if artifacts else 1
    planned = checkpoints.check_schedule(plan.finetune, samples, devices)
    if planned and not artifacts:
        checkpoints.check_room(plan.finetune, planned.checkpoints, folder)


def _check_sides(plan: Plan | None) -> None:
    if plan and plan.gate and not plan.baseline:
        gating.check_baseline(plan.gate)


def _check_samples(config: Config, samples: int | None) -> None:
    """Refuse rules that ask for more samples than there are, or than are judged; where these are
    not counted (None), than the settings let there be."""
    if config.gate is None or not (samples or _all_built_in(config)):
        return
    most = samples or config.dataset.max_samples or math.inf
    names = {spec.name for spec in measured.judged(config)}
    judged = min(most, (config.judge.max_samples if config.judge else 0) or most)
    gating.check_pairs(config.gate, most, judged, names)
    if samples:
        gating.check_coverage(config.gate, samples, int(judged), names)


def _check_subsets(config: Config, policy: GatePolicy, samples: Path) -> None:
    """Refuse rules on a part of the samples that there is not, or that is too small."""
    names = {spec.name for spec in measured.specs(config)}
    if gating.subsets(policy.rules, names):
        gating.check_subsets(policy, names, tags.read(samples))


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


def _ask_model(plan: Plan, name: str, model: served.ServedModel, folder: Path | None) -> None:
    """Have the endpoint of a model answer, unless this run has begun: then it has answered."""
    if folder is None or not _begun(folder):
        served.check(model, plan.generate, name, folder and folder / SAMPLES)


def _ask_judge(plan: Plan, folder: Path | None) -> Estimate | None:
    """Have the judge give a verdict on the longest sample, or where there are none yet on a fixed
    one, and return what all will take. Raises JudgeError, also where `max_cost` cannot pay for it;
    of a run that has begun a part is paid already."""
    judge = plan.judge
    if judge is None:
        return None
    estimate = judging.check(judge, folder and folder / SAMPLES, sides=len(plan.sides))
    if folder and not _begun(folder):
        judging.check_cost(judge, estimate)
    return estimate
