"""The whole job over a run folder, on this machine: each stage starts from files alone.

A stage whose result is complete is not done again, so an interrupted run goes on at its first
unfinished stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from assay import config, dataset, model, progress, report
from assay import finetune as finetuning
from assay import generate as generating
from assay import judge as judging
from assay import metrics as measuring
from assay.config import NO_BASELINE, Config
from assay.errors import InputError, SettingsError, check_all
from assay.gate import GatePolicy
from assay.records import SIDES, Side

CONFIG = "config.yaml"
SAMPLES = "dataset.jsonl"
TRAIN = "train.jsonl"
MODEL = "model"
REPORT = "report.html"


def run(
    settings: Config,
    folder: Path,
    listen: progress.Listener = progress.ignore,
    finished: Callable[[], None] = lambda: None,
) -> Path:
    """Do everything that `settings` asks for in `folder` and return the HTML report's path.
    `finished` is called after each stage.

    Raises InputError before any training for what can be known before, StageError later; running
    the same again resumes.
    """
    check(settings)
    listen = progress.tee(listen, progress.to_file(folder / "progress.jsonl"))
    begin(settings, folder, listen)
    finished()
    if settings.finetune:
        finetune(settings, folder, listen)
        finished()
    for side in sides(settings):
        generate(settings, folder, side, listen)
        finished()
    if settings.auto:
        compute_metrics(settings, folder, listen)
        finished()
    if settings.judged:
        judge(settings, folder, listen)
        finished()
    report.report_in(settings.history, folder)
    finished()
    return folder / REPORT


def begin(settings: Config, folder: Path, listen: progress.Listener = progress.ignore) -> None:
    """Make the run folder with its configuration and samples, or take up the one that is there.

    Raises SettingsError where the folder holds a run that was asked for something else.
    """
    path = folder / CONFIG
    if path.is_file() and (name := config.first_difference(config.load(path), settings)):
        raise SettingsError(
            f"{folder} holds a run with another {name}", "Choose another --out, or remove it"
        )
    if not (folder / dataset.SUMMARY).is_file():
        prepare(settings, folder, listen)
    config.save(settings, path)


def prepare(settings: Config, folder: Path, listen: progress.Listener) -> dataset.Summary:
    """Write the run's samples, checked, and the dataset.json that says what they are."""
    summary = dataset.prepare(
        settings.dataset,
        folder,
        train_tokens=_train_tokens(settings),
        eval_tokens=_eval_tokens(settings),
    )
    used = summary.eval.samples + (summary.train.samples if summary.train else 0)
    done = progress.Progress(stage="dataset", state="done", done=used, total=used, unit="samples")
    listen(replace(done, note=dataset.sum_up(summary)))
    return summary


def _train_tokens(settings: Config) -> dataset.Tokens | None:
    tuning = settings.finetune
    if not tuning:
        return None
    return dataset.Tokens(
        model=tuning.base_model, template=tuning.template, cutoff_len=tuning.cutoff_len
    )


def _eval_tokens(settings: Config) -> dataset.Tokens:
    generation = generation_of(settings, settings.model)
    name = settings.finetune.base_model if settings.finetune else settings.model
    return dataset.Tokens(
        model=name, template=generation.template, cutoff_len=generation.cutoff_len
    )


def check(settings: Config) -> None:
    """Raise InputError for all that cannot work and costs only seconds to find out."""
    checks: list[Callable[[], object]] = [partial(generating.check, settings.generate)]
    if settings.finetune:
        checks.append(partial(finetuning.check, settings.finetune))
    else:
        checks.append(partial(model.resolve, settings.model, settings.base_model, weights=False))
    if settings.auto:
        checks.append(partial(measuring.check, settings.metrics))
    if settings.history:
        checks.append(partial(report.check_history, settings.history))
    if settings.gate:
        checks.append(partial(_check_gate, settings, settings.gate))
    if settings.judged and settings.judge:
        checks.append(partial(judging.check, settings.judge))
    check_all(*checks)


def _check_gate(settings: Config, policy: GatePolicy) -> None:
    """Refuse a rule that this run cannot prove, before anything is spent on it."""
    specs = measuring.specs(settings.metrics) if settings.auto else ()
    known = [spec.name for spec in specs if spec.kind != "total"]
    if settings.judged and settings.judge:
        known = [*known, *judging.dimensions(settings.judge.rubric)]
        known += [judging.WIN_RATE] if settings.judge.pairwise else []
    for name in policy.rules:
        if name not in known:
            raise SettingsError(
                f"gate.rules.{name} is no metric of this run that has an interval",
                f"Use one of {', '.join(known)}",
            )
    for spec in specs:
        if spec.name in policy.rules and spec.direction == "unknown":
            raise SettingsError(
                f"gate.rules.{spec.name}: the metric does not say which way is better",
                "Let its entry point lead to an assay.metrics.AutoMetric with a direction",
            )


def finetune(settings: Config, folder: Path, listen: progress.Listener) -> None:
    """Fine-tune on the run's training samples into `model/`."""
    if settings.finetune is None:
        raise SettingsError("config has no finetune section", "Add one, or evaluate `model`")
    finetuning.finetune(folder / TRAIN, folder / MODEL, settings.finetune, listen=listen)


def sides(settings: Config) -> tuple[Side, ...]:
    """Return the sides that this run evaluates: without a baseline only the candidate."""
    return ("baseline", "candidate") if baseline_of(settings) else ("candidate",)


def baseline_of(settings: Config) -> str:
    """Return the model to compare with, "" for none: the one that is set, or else the one that
    the candidate was tuned from."""
    if settings.baseline:
        return "" if settings.baseline == NO_BASELINE else settings.baseline
    if settings.finetune:
        return settings.finetune.base_model
    candidate = model.resolve(settings.model, settings.base_model, weights=False)
    if candidate.adapter:
        return candidate.base_name
    return candidate.manifest.base_model if candidate.manifest else ""


def generate(settings: Config, folder: Path, side: Side, listen: progress.Listener) -> None:
    """Answer the run's evaluation samples with one side's model, both in the same way."""
    candidate = str(folder / MODEL) if settings.finetune else settings.model
    generating.generate(
        candidate if side == "candidate" else baseline_of(settings),
        folder / SAMPLES,
        folder / side,
        generation_of(settings, candidate),
        base_model=settings.base_model if side == "candidate" else "",
        side=side,
        listen=listen,
    )


def generation_of(settings: Config, candidate: str) -> generating.GenerateSettings:
    """Return how both sides answer: what is not set comes from the fine-tune of the candidate."""
    if settings.finetune:
        tuning = settings.finetune
        return generating.inherit(settings.generate, tuning.template, tuning.llamafactory)
    manifest = model.read_manifest(Path(model.local(candidate, weights=False)))
    if manifest is None:
        return settings.generate
    tuned: Any = manifest.settings.get("llamafactory", {})
    return generating.inherit(settings.generate, manifest.template, tuned)


def compute_metrics(settings: Config, folder: Path, listen: progress.Listener) -> None:
    """Score the predictions of each side that has some."""
    found = _predictions(folder)
    measuring.compute_sides(folder / SAMPLES, found, folder, settings.metrics, listen=listen)


def judge(
    settings: Config, folder: Path, listen: progress.Listener, *, only_failed: bool = False
) -> None:
    """Have the predictions of each side that has some judged; paid verdicts are kept."""
    if settings.judge is None:
        raise SettingsError("config has no judge section", "Set judge.endpoint and judge.model")
    judging.judge_sides(
        folder / SAMPLES,
        _predictions(folder),
        folder,
        settings.judge,
        only_failed=only_failed,
        listen=listen,
    )


def _predictions(folder: Path) -> dict[str, Path]:
    found = answered({side: folder / side for side in SIDES})
    if not found:
        raise InputError(f"{folder} holds no predictions", f"Run: assay generate {folder}")
    return found


def answered(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Return the predictions of each side whose folder has some."""
    files = {side: folder / generating.PREDICTIONS for side, folder in folders.items()}
    return {side: path for side, path in files.items() if path.is_file()}
