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
from assay import durable, plan, preflight, progress, report, scoring, served, store
from assay import finetune as finetuning
from assay import generate as generating
from assay.config import Config
from assay.errors import InputError, SettingsError
from assay.folder import (
    CONFIG,
    MODEL,
    PAID,
    PREDICTIONS,
    PROGRESS,
    REPORT_HTML,
    SAMPLES,
    TRAINING,
)
from assay.plan import Plan
from assay.records import SIDES, Side
from assay.scoring import Scorer

_PAID = store.Contents(only=PAID)


def run(config: Config, place: store.Mirror, listen: progress.Listener = progress.ignore) -> Path:
    """Do everything that `config` asks for in the folder of `place` and return the HTML report's
    path. What each stage does is sent as it goes where the folder belongs in a store.

    Raises InputError before any training for what can be known before, InUseError while another
    process works in the folder, as each stage alone does, and StageError later; running the same
    again resumes.
    """
    folder = place.folder
    listen = progress.tee(listen, progress.to_file(folder / PROGRESS))
    with store.held(folder):
        wanted = preflight.prepare(plan.pinned(config, folder / CONFIG), folder, listen).plan
        configuration.save(wanted.config, folder / CONFIG)
        place.send()
        for stage in _stages(wanted, place, listen):
            progress.count_waits(folder, "run")
            stage()
            place.send()
    return folder / REPORT_HTML


def _stages(
    wanted: Plan, place: store.Mirror, listen: progress.Listener
) -> list[Callable[[], object]]:
    config, stages = wanted.config, list[Callable[[], object]]()
    if wanted.finetune:
        stages.append(lambda: finetune(config, place, listen))
    for side in wanted.sides:
        stages.append(partial(generate, wanted, place, side, listen))
    if wanted.parity:
        stages.append(partial(compare_served, wanted, place.folder, listen))
    for name, own in wanted.scoring.items():
        stages.append(partial(score, scoring.named(name), own, place, listen))
    return [*stages, lambda: report.report_in(config.history, place.folder)]


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


def finetune(config: Config, place: store.Mirror, listen: progress.Listener) -> None:
    """Fine-tune on the run's training samples into `model/`."""
    if config.finetune is None:
        raise SettingsError("config has no finetune section", "Add one, or evaluate `model`")
    folder = place.folder
    work = finetuning.work_folder(folder / MODEL)
    with store.held(folder), durable.kept_of(place, MODEL, work, finetuning.UNFINISHED):
        finetuning.finetune(folder / TRAINING, folder / MODEL, config.finetune, listen=listen)


def generate_sides(
    config: Config, place: store.Mirror, listen: progress.Listener = progress.ignore
) -> None:
    """Answer the run's evaluation samples with the model of each side."""
    wanted = plan.make(config)
    preflight.tell_withheld(wanted)
    with store.held(place.folder):
        for side in wanted.sides:
            generate(wanted, place, side, listen)


def generate(wanted: Plan, place: store.Mirror, side: Side, listen: progress.Listener) -> None:
    """Answer the run's evaluation samples with one side's model, both in the same way."""
    candidate, folder = side == "candidate", place.folder
    model = (wanted.candidate or str(folder / MODEL)) if candidate else wanted.baseline
    asked = folder / SAMPLES, folder / side, wanted.generate
    work = generating.work_folder(folder / side)
    with durable.kept_of(place, side, work, generating.UNFINISHED):
        if isinstance(model, served.ServedModel):
            where = "model" if candidate else side
            served.generate(model, *asked, side=side, where=where, listen=listen)
        else:
            base_model = wanted.base_model if candidate else ""
            generating.generate(model, *asked, base_model=base_model, side=side, listen=listen)


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
    scorer: Scorer, settings: Any, place: store.Mirror, listen: progress.Listener, **flags: bool
) -> None:
    """Have the predictions of each side that has some scored by one of the scoring stages; what
    was paid for is kept. `flags` are those that the stage knows."""
    folder = place.folder
    predictions = _predictions(folder)
    with store.held(folder), durable.kept_of(place, scorer.name, folder, _PAID):
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
