"""The whole job over a run folder, on this machine: each stage starts from files alone.

A stage whose result is complete is not done again, so an interrupted run goes on at its first
unfinished stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay import config as configuration
from assay import finetune as finetuning
from assay import generate as generating
from assay import given, plan, preflight, progress, report, scoring, served, store
from assay.config import Config
from assay.errors import InputError, SettingsError
from assay.folder import CONFIG, MODEL, PREDICTIONS, PROGRESS, REPORT_HTML, SAMPLES, TRAINING
from assay.plan import Plan
from assay.records import SIDES, Side
from assay.scoring import Scorer


def run(
    config: Config,
    folder: Path,
    listen: progress.Listener = progress.ignore,
    finished: Callable[[], None] = lambda: None,
) -> Path:
    """Do everything that `config` asks for in `folder` and return the HTML report's path.
    `finished` is called after each stage.

    Raises InputError before any training for what can be known before, InUseError while another
    process works in `folder`, as each stage alone does, and StageError later; running the same
    again resumes.
    """
    listen = progress.tee(listen, progress.to_file(folder / PROGRESS))
    with store.held(folder):
        wanted = preflight.prepare(plan.pinned(config, folder / CONFIG), folder, listen).plan
        configuration.save(wanted.config, folder / CONFIG)
        finished()
        for stage in _stages(wanted, folder, listen):
            progress.count_waits(folder, "run")
            stage()
            finished()
    return folder / REPORT_HTML


def _stages(wanted: Plan, folder: Path, listen: progress.Listener) -> list[Callable[[], object]]:
    config, stages = wanted.config, list[Callable[[], object]]()
    if wanted.finetune:
        stages.append(lambda: finetune(config, folder, listen))
    for side in wanted.sides:
        stages.append(partial(generate, wanted, folder, side, listen))
    if wanted.parity:
        stages.append(partial(compare_served, wanted, folder, listen))
    for name, own in wanted.scoring.items():
        stages.append(partial(score, scoring.named(name), own, folder, listen))
    return [*stages, lambda: report.report_in(config.history, folder)]


def begin(config: Config, folder: Path) -> Plan:
    """Make the run folder with its configuration and samples, or take up the one that is there,
    and return what the run does.

    Raises SettingsError where the folder holds a run that was asked for something else.
    """
    with store.held(folder):
        wanted = plan.make(plan.pinned(config, folder / CONFIG))
        preflight.write_samples(wanted, folder)
        configuration.save(wanted.config, folder / CONFIG)
    return wanted


def finetune(config: Config, folder: Path, listen: progress.Listener) -> None:
    """Fine-tune on the run's training samples into `model/`."""
    if config.finetune is None:
        raise SettingsError("config has no finetune section", "Add one, or evaluate `model`")
    with store.held(folder):
        finetuning.finetune(folder / TRAINING, folder / MODEL, config.finetune, listen=listen)


def generate_sides(
    config: Config, folder: Path, listen: progress.Listener = progress.ignore
) -> None:
    """Answer the run's evaluation samples with the model of each side."""
    wanted = plan.make(config)
    preflight.tell_withheld(wanted)
    with store.held(folder):
        for side in wanted.sides:
            generate(wanted, folder, side, listen)


def generate(wanted: Plan, folder: Path, side: Side, listen: progress.Listener) -> None:
    """Answer the run's evaluation samples with one side's model, both in the same way."""
    candidate = side == "candidate"
    model = (wanted.candidate or str(folder / MODEL)) if candidate else wanted.baseline
    if isinstance(model, served.ServedModel):
        where = "model" if candidate else side
        answered = folder / SAMPLES, folder / side, wanted.generate
        served.generate(model, *answered, side=side, where=where, listen=listen)
        return
    if isinstance(model, given.GivenAnswers):
        given.generate(folder, folder / side, wanted.generate, side=side, listen=listen)
        return
    generating.generate(
        model,
        folder / SAMPLES,
        folder / side,
        wanted.generate,
        base_model=wanted.base_model if candidate else "",
        side=side,
        listen=listen,
    )


def compare_served(wanted: Plan, folder: Path, listen: progress.Listener) -> None:
    """Have the weights of one side read what the endpoint of the other answered."""
    if parity := wanted.parity:
        base_model = "" if parity == "candidate" else wanted.base_model
        weights = wanted.baseline if parity == "candidate" else wanted.candidate or folder / MODEL
        settings = folder / SAMPLES, wanted.generate
        served.compare(
            folder, parity, str(weights), *settings, base_model=base_model, listen=listen
        )


def score(
    scorer: Scorer, settings: Any, folder: Path, listen: progress.Listener, **flags: bool
) -> None:
    """Have the predictions of each side that has some scored by one of the scoring stages; what
    was paid for is kept. `flags` are those that the stage knows."""
    predictions = _predictions(folder)
    with store.held(folder):
        scorer.score(folder / SAMPLES, predictions, folder, settings, listen=listen, **flags)


def _predictions(folder: Path) -> dict[str, Path]:
    files = answered({side: folder / side for side in SIDES})
    if not files:
        raise InputError(f"{folder} holds no predictions", f"Run: assay generate {folder}")
    return files


def answered(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Return the predictions of each side whose folder has some."""
    files = {side: folder / PREDICTIONS for side, folder in folders.items()}
    return {side: path for side, path in files.items() if path.is_file()}
