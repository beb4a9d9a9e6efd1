"""What the KFP components call: each stage from a component's parameters and artifact folders.

Inside `running` a termination signal unwinds the stage (so that it ends what it started), progress
goes to the task's log and, where ASSAY_PROGRESS names a file, to that too, and an error that
Assay raised on purpose ends the task with one clear line and its exit code.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from assay import config as configuration
from assay import dataset, latest, process, progress, run, store
from assay import finetune as finetuning
from assay import gate as gating
from assay import generate as generating
from assay import judge as judging
from assay import metrics as measuring
from assay import report as reporting
from assay.config import Config
from assay.errors import AssayError, GateError, check_all
from assay.model import MANIFEST
from assay.records import Generation, ModelManifest
from assay.settings import build

PROGRESS = "ASSAY_PROGRESS"
PARENT = "ASSAY_PARENT"
ERROR = "error.json"


@contextmanager
def running() -> Iterator[progress.Listener]:
    """Yield the listener of a task's stage; see the module's docstring."""
    for name in ("httpx", "httpx2"):  # KFP's executor would have each request of the judge logged
        logging.getLogger(name).setLevel(logging.WARNING)
    path = os.environ.get(PROGRESS, "")
    listen = progress.to_lines()
    if path:
        listen = progress.tee(listen, progress.to_file(Path(path)))
    if parent := os.environ.get(PARENT):
        process.end_with(int(parent))
    # whether a store's address is right, preflight has asked
    with process.interruptible(), store.relied_on():
        try:
            yield listen
        except AssayError as error:
            print(f"assay: {error}", file=sys.stderr, flush=True)
            if path:
                store.write_json(Path(path).with_name(ERROR), _described(error))
            raise SystemExit(error.exit_code) from None


def preflight(
    parameters: Mapping[str, Any],
    samples: Path,
    metadata: dict[str, Any],
    listen: progress.Listener = progress.ignore,
    check: Callable[[Config], object] = lambda _: None,
) -> tuple[dict[str, Any], ...]:
    """Check the run that a pipeline's parameters describe, by `check` too, and prepare its samples.

    Returns the configuration, the settings of finetune, generate, metrics, judge ({} where the run
    has no such stage) and cluster, the model to compare with ("" for none, and where a fine-tune is
    not evaluated), the model to evaluate, and the base of an adapter whose own record of it does
    not hold.
    """
    with store.relied_on(False):
        return _preflight(parameters, samples, metadata, listen, check)


def _preflight(
    parameters: Mapping[str, Any],
    samples: Path,
    metadata: dict[str, Any],
    listen: progress.Listener,
    check: Callable[[Config], object],
) -> tuple[dict[str, Any], ...]:
    evaluates = parameters["enable_auto_eval"]
    # a fine-tune that is not evaluated needs neither a judge nor what a gate asks of one
    wanted = parameters if evaluates else {**parameters, "mode": "auto", "gate": {}}
    config = configuration.from_parameters(whole(wanted))
    config = replace(config, model=latest.resolve(config.model))
    prepared: list[dataset.Summary] = []
    check_all(
        lambda: run.check(config),
        lambda: check(config),
        lambda: prepared.append(run.prepare(config, samples, listen)),
    )
    (summary,) = prepared
    print(dataset.describe_summary(summary), flush=True)
    for name, remedy in measuring.missing(config.metrics).items() if config.auto else ():
        print(f"{name} is unavailable here: {remedy}", flush=True)
    trained = summary.train.samples if summary.train else 0
    metadata.update(samples=summary.eval.samples, hash=summary.eval.hash, training_samples=trained)
    plain = configuration.plain(config)
    generation = asdict(run.generation_of(config, config.model))
    sections = (plain.get(name, {}) for name in ("metrics", "judge", "cluster"))
    baseline = run.baseline_of(config) if evaluates else ""
    models = (baseline, config.model, config.base_model)
    return (plain, plain.get("finetune", {}), generation, *sections, *models)


def finetune(
    given: Mapping[str, Any], samples: Path, out: Path, record: Path, listen: progress.Listener
) -> ModelManifest:
    """Fine-tune into `out`, and copy what is not weights to `record`."""
    tuning = build(finetuning.FinetuneSettings, whole(given), "finetune")
    manifest = finetuning.finetune(samples / run.TRAIN, out, tuning, listen=listen)
    record.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, finetuning.LOSS_LOG, finetuning.LOG):
        shutil.copy(out / name, record / name)
    return manifest


def assist(given: Mapping[str, Any], samples: Path, out: Path, listen: progress.Listener) -> None:
    """Take part in a fine-tune of several nodes, whose first one makes the model."""
    tuning = build(finetuning.FinetuneSettings, whole(given), "finetune")
    finetuning.assist(samples / run.TRAIN, out, tuning, listen=listen)


def generate(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    out: Path,
    listen: progress.Listener,
) -> Generation:
    """Answer the samples with one side's model."""
    return generating.generate(
        model,
        samples / run.SAMPLES,
        out,
        build(generating.GenerateSettings, whole(settings), "generate"),
        base_model=base_model,
        side=side,
        listen=listen,
    )


def model_metadata(manifest: ModelManifest) -> dict[str, Any]:
    """Return what KFP's page shows of a tuned model."""
    return {
        "base_model": manifest.base_model,
        "digest": manifest.digest,
        "runner": manifest.runner,
    }


def predictions_metadata(done: Generation) -> dict[str, Any]:
    """Return what KFP's page shows of one side's predictions."""
    return {
        "model": done.model,
        "digest": done.digest,
        "samples": done.samples,
        "runner": done.runner,
    }


def auto_metrics(
    mode: str,
    given: Mapping[str, Any],
    samples: Path,
    sides: Mapping[str, Path],
    out: Path,
    listen: progress.Listener,
) -> None:
    """Score the sides that have predictions into `out`/<side>/scores.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    if mode == "judge":
        print("mode judge: no auto-metrics", flush=True)
        return
    wanted = build(measuring.MetricsSettings, whole(given), "metrics")
    answered = run.answered(sides)
    measuring.compute_sides(samples / run.SAMPLES, answered, out, wanted, listen=listen)


def judge(
    mode: str,
    given: Mapping[str, Any],
    samples: Path,
    sides: Mapping[str, Path],
    out: Path,
    listen: progress.Listener,
) -> None:
    """Have the sides that have predictions judged into `out`/<side>/verdicts.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    if mode == "auto":
        print("mode auto: no judge", flush=True)
        return
    wanted = build(judging.JudgeSettings, whole(given), "judge")
    judging.judge_sides(samples / run.SAMPLES, run.answered(sides), out, wanted, listen=listen)


def report(
    config: Mapping[str, Any], parts: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, float]:
    """Collect the run folder from artifact folders (subfolder -> sources), write the report, and
    return its finite numbers by name, for the comparison of runs."""
    for subfolder, sources in parts.items():
        for source in sources:
            if any(Path(source).glob("*")):  # a stage that had nothing to do left an empty folder
                index = shutil.ignore_patterns(store.INDEX)  # of the part, not of the whole
                shutil.copytree(source, folder / subfolder, dirs_exist_ok=True, ignore=index)
    asked = configuration.parse(whole(config))
    configuration.save(asked, folder / run.CONFIG)
    reporting.report_in(asked.history, folder)
    rows = store.read_json(folder / "metrics.json")["metrics"]
    # KFP's page sorts by name, and cuts long ones at their end
    sides = {"candidate": "", "baseline": " baseline"}
    return {
        f"{row['name']}{sides[row['side']]}": row["value"]
        for row in rows
        if row["value"] is not None
    }


def decided(folder: Path) -> dict[str, Any]:
    """Return what the gate decided when the report of `folder` was written, {} without a gate."""
    return store.read_json(folder / "metrics.json")["gate"] or {}


def gate(given: Mapping[str, Any]) -> None:
    """Print the gate's decision. Raises GateError where it is not GO."""
    if not given:
        print("no gate was asked for", flush=True)
        return
    said = gating.Gate(
        decision=given["decision"],
        rulings=tuple(gating.Ruling(**ruling) for ruling in given["rulings"]),
    )
    for ruling in said.rulings:
        print(f"{ruling.decision} {ruling.rule}: {ruling.reason}", flush=True)
    print(gating.headline(said), flush=True)
    if said.decision != "GO":
        raise GateError(
            f"The gate says {gating.headline(said)}",
            "The report says why, rule by rule",
            exit_code=gating.EXIT_CODES[said.decision],
        )


def publish(folder: Path, *, html: Path, markdown: Path) -> None:
    """Copy a run folder's report to where KFP's page shows it."""
    shutil.copy(folder / run.REPORT, html)
    shutil.copy(folder / "report.md", markdown)


def whole(value: Any) -> Any:
    """Return `value` with every whole float as an int again: KFP hands each number inside a dict
    over as a float."""
    if isinstance(value, Mapping):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _described(error: AssayError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "what": error.what,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
