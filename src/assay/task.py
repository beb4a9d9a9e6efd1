"""What the KFP components call: each stage from a component's parameters and artifact folders.

Inside `running` a termination signal unwinds the stage (so that it ends what it started), progress
goes to the task's log and, where ASSAY_PROGRESS names a file, to that too, and an error that
Assay raised on purpose ends the task with one clear line and its exit code.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay import (
    checkpoints,
    dataset,
    durable,
    given,
    merging,
    process,
    progress,
    run,
    scoring,
    served,
    store,
)
from assay import config as configuration
from assay import finetune as finetuning
from assay import gate as gating
from assay import generate as generating
from assay import judge as judging
from assay import metrics as measuring
from assay import plan as planning
from assay import preflight as checking
from assay import report as reporting
from assay.checkpoints import Selecting
from assay.errors import AssayError, GateError
from assay.folder import (
    CHECKPOINTS,
    CONFIG,
    LOSSES,
    MANIFEST,
    METRICS,
    REPORT_HTML,
    REPORT_MARKDOWN,
    SAMPLES,
    TRAIN_LOG,
    TRAINING,
)
from assay.plan import Plan
from assay.records import Generation, ModelManifest, Side
from assay.settings import build
from assay.share import WHOLE, Share

PROGRESS = "ASSAY_PROGRESS"
PARENT = "ASSAY_PARENT"
ERROR = "error.json"
_CHOICE = "choice"  # beside the settings of the section finetune


@contextmanager
def running(
    given: Mapping[str, Any] | None = None, *, judge_secret: str = ""
) -> Iterator[progress.Listener]:
    """Yield the listener of a task's stage; see the module's docstring. `given` is the section
    store of the configuration; `judge_secret` names the Secret that the judge's key comes from,
    for what is said of it."""
    if judge_secret:
        os.environ[judging.SECRET] = judge_secret
    for name in ("httpx", "httpx2"):  # KFP's executor would have each request of the judge logged
        logging.getLogger(name).setLevel(logging.WARNING)
    path = os.environ.get(PROGRESS, "")
    listen = progress.to_lines()
    if path:
        listen = progress.tee(listen, progress.to_file(Path(path)))
    if parent := os.environ.get(PARENT):
        process.end_with(int(parent))
    # whether a store's address is right, preflight has asked
    with process.interruptible(), store.relied_on(), progress.telling_waits(listen):
        try:
            with store.waiting(build(store.StoreSettings, whole(given or {}), "store")):
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
    return {
        "config": plain,
        **{name: plain.get(name, {}) for name in stages},
        "finetune": _tuning(plan),
        "generate": asdict(plan.generate),
        "baseline_model": served.text(plan.baseline),
        "model": served.text(plan.candidate),
        "base_model": plan.base_model,
        "gated": plan.gate is not None,
    }


def _tuning(plan: Plan) -> dict[str, Any]:
    """Return the section finetune with what its task needs to choose a checkpoint: all that the
    choice depends on, and nothing else, so that KFP's cache has the model for the same."""
    by = planning.selecting(plan.config)
    given = configuration.plain(plan.config).get("finetune", {})
    return {**given, _CHOICE: json.loads(store.to_json(checkpoints.to_plain(by)))} if by else given


def finetune(
    given: Mapping[str, Any], samples: Path, out: Path, record: Path, listen: progress.Listener
) -> ModelManifest:
    """Fine-tune into `out`, choose a checkpoint where the settings ask for it, and copy what is not
    weights to `record`."""
    tuning, by = given_tuning(given)
    choose = run.chooser(samples, tuning, by, listen)
    manifest = finetuning.finetune(samples / TRAINING, out, tuning, choose=choose, listen=listen)
    record.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, LOSSES, TRAIN_LOG, CHECKPOINTS):
        if (out / name).is_file():
            shutil.copy(out / name, record / name)
    return manifest


def given_tuning(
    given: Mapping[str, Any],
) -> tuple[finetuning.FinetuneSettings, Selecting | None]:
    """Return the settings that a fine-tuning task was handed, and by what it is to choose."""
    settings = whole(given)
    by = settings.pop(_CHOICE, None)
    tuning = build(finetuning.FinetuneSettings, settings, "finetune")
    return tuning, checkpoints.from_plain(by) if by else None


def assist(given: Mapping[str, Any], samples: Path, out: Path, listen: progress.Listener) -> None:
    """Take part in a fine-tune of several nodes, whose first one makes the model."""
    tuning, _ = given_tuning(given)
    finetuning.assist(samples / TRAINING, out, tuning, listen=listen)


def generate(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    out: Path,
    place: str,
    listen: progress.Listener,
    share: Share = WHOLE,
) -> Generation:
    """Answer the samples, or a share of them, with one side's model; `place` is where the
    predictions go."""
    asked = build(generating.GenerateSettings, whole(settings), "generate")
    behind = elsewhere(side, model)
    if isinstance(behind, given.GivenAnswers):
        own: Side = "candidate" if side == "candidate" else "baseline"
        return given.generate(samples, out, asked, side=own, listen=listen)
    if behind:
        where = "model" if side == "candidate" else side
        files = samples / SAMPLES, out
        return served.generate(behind, *files, asked, side=side, where=where, listen=listen)
    return generating.generate(
        model,
        samples / SAMPLES,
        out,
        asked,
        base_model=base_model,
        side=side,
        place=place,
        share=share,
        listen=listen,
    )


def elsewhere(side: str, model: str) -> served.ServedModel | given.GivenAnswers | None:
    """Return the model of a side, as a task is given it, where it is behind an endpoint, or its
    answers are in a file."""
    read: served.Named = served.read(model, "model" if side == "candidate" else "baseline")
    return None if isinstance(read, str) else read


def merge(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    parts: Sequence[Path],
    out: Path,
    place: str,
) -> Generation:
    """Put the folders of all shares of a side's answers together; `place` is where they go."""
    return merging.merge(
        model,
        samples / SAMPLES,
        parts,
        out,
        build(generating.GenerateSettings, whole(settings), "generate"),
        base_model=base_model,
        side=side,
        place=place,
    )


def take(
    *,
    side: str,
    model: str,
    settings: Mapping[str, Any],
    base_model: str,
    samples: Path,
    out: Path,
    accelerated: bool | None,
    listen: progress.Listener,
) -> Generation | None:
    """Put what an earlier run answered to the same into `out`, where it is kept, before anything
    is asked for that could answer. What cannot be looked at here may be seen by who does."""
    asked = build(generating.GenerateSettings, whole(settings), "generate")
    try:
        return generating.take(
            model,
            samples / SAMPLES,
            out,
            asked,
            base_model,
            side,
            listen,
            accelerated=accelerated,
        )
    except AssayError as error:
        print(f"{side}: no earlier answers were looked for: {error.what}", flush=True)
        return None


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
        **({"endpoint": done.served.endpoint} if done.served else {}),
        **({"sha256": done.given.sha256} if done.given else {}),
        **({"made": done.origin.made, "taken_from": done.origin.place} if done.origin else {}),
    }


def score(
    name: str,
    mode: str,
    given: Mapping[str, Any],
    samples: Path,
    sides: Mapping[str, Path],
    out: Path,
    listen: progress.Listener,
    *,
    place: str = "",
) -> None:
    """Have the sides that have predictions scored by the scoring stage `name`, into `out`/<side>/,
    which goes to `place`; where the mode does not want it, leave `out` empty."""
    scorer = scoring.named(name)
    out.mkdir(parents=True, exist_ok=True)
    if mode not in scorer.modes:
        print(f"mode {mode}: no {scorer.title.lower()}", flush=True)
        return
    wanted: Any = build(scorer.settings, whole(given), name)
    with durable.as_it_comes(name, out, place):
        scorer.score(samples / SAMPLES, run.answered(sides), out, wanted, listen=listen)


def report(
    config: Mapping[str, Any], parts: Mapping[str, Sequence[str]], folder: Path
) -> reporting.Report:
    """Collect the run folder from artifact folders (subfolder -> sources), write the report, and
    return what it says."""
    for subfolder, sources in parts.items():
        for source in sources:
            if any(Path(source).glob("*")):  # a stage that had nothing to do left an empty folder
                index = shutil.ignore_patterns(store.INDEX)  # of the part, not of the whole
                shutil.copytree(source, folder / subfolder, dirs_exist_ok=True, ignore=index)
    asked = configuration.parse(whole(config))
    configuration.save(asked, folder / CONFIG)
    return reporting.report_in(asked.history, folder)


def numbers(told: reporting.Report) -> dict[str, float]:
    """Return a report's finite numbers by name, for the comparison of runs, and those of the
    primary metric over the samples of each tag, with the difference there."""
    named = {name: value for row in told.summary for name, value in _values(row, row.name)}
    primary = told.conclusion.primary or told.focus
    for subset in (subset for tag in told.tags for subset in tag.subsets):
        for row in (row for row in subset.rows if row.name == primary):
            name = f"{row.name}@{subset.tag}={subset.value}"
            named |= {**dict(_values(row, name)), f"{name} difference": row.difference}
    return {name: value for name, value in named.items() if value is not None}


def _values(row: reporting.MetricRow, name: str) -> Iterator[tuple[str, float | None]]:
    """Yield the value of each side. KFP's page sorts by name, and cuts long ones at their end."""
    for end, side in (("", row.candidate), (" baseline", row.baseline)):
        if side:
            yield f"{name}{end}", side.value


def confusion(told: reporting.Report) -> tuple[list[str], list[list[int]]] | None:
    """Return the labels of a run's candidate and how often each has which answer, None where no
    metric is of labels; as many rows as columns, as KFP wants them."""
    held = told.confusion.get("candidate")
    if not held:
        return None
    labels, counts = list(held.labels), [list(row) for row in held.counts]
    if any(row[-1] for row in counts):
        return [*labels, "(no label)"], [*counts, [0] * (len(labels) + 1)]
    return labels, [row[:-1] for row in counts]


def decided(folder: Path) -> dict[str, Any]:
    """Return what the gate decided when the report of `folder` was written, {} without a gate."""
    return store.read_json(folder / METRICS)["gate"] or {}


def gate(given: Mapping[str, Any]) -> None:
    """Print the gate's decision. Raises GateError where it is not GO."""
    if not given:
        print("no gate was asked for", flush=True)
        return
    decided = build(gating.Gate, whole(given), "gate")
    print(gating.describe(decided), flush=True)
    if decided.decision != "GO":
        raise GateError(
            f"The gate says {gating.headline(decided)}",
            "The report says why, rule by rule",
            exit_code=gating.EXIT_CODES[decided.decision],
        )


def publish(folder: Path, *, html: Path, markdown: Path) -> None:
    """Copy a run folder's report to where KFP's page shows it."""
    shutil.copy(folder / REPORT_HTML, html)
    shutil.copy(folder / REPORT_MARKDOWN, markdown)


def whole(value: Any) -> Any:
    """Return `value` with every whole float as an int again: KFP hands each number inside a dict
    over as a float."""
    if isinstance(value, Mapping):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _described(error: AssayError) -> dict[str, Any]:
    described = {"what": error.what, "remedy": error.remedy, "exit_code": error.exit_code}
    return {"error": type(error).__name__, **described}
