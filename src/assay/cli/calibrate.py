"""`assay calibrate`: labels by people, what they say of the judge, and anchors against drift."""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay import config, store
from assay.calibrate.admission import Bars
from assay.calibrate.agreement import compare
from assay.calibrate.description import describe
from assay.calibrate.items import (
    Item,
    check_unlabelled,
    draw,
    judged,
    read_labels,
    write_form,
    write_items,
)
from assay.calibrate.together import Together
from assay.cli import command
from assay.errors import InputError, SettingsError
from assay.folder import CALIBRATION, CONFIG, JUDGE
from assay.judge import JudgeSummary
from assay.judge import rubric as rubrics
from assay.judge.anchors import freeze
from assay.judge.rubric import Rubric
from assay.records import SIDES, Agreement
from assay.settings import build, read_assignments
from assay.text import flat

ITEMS, FORM = "items.csv", "form.html"


def add_parsers(commands: Any) -> None:
    """Add the commands `calibrate export` and `calibrate import`."""
    calibrate = command.add(commands, "calibrate", "compare the judge with people")
    both = calibrate.add_subparsers(required=True, metavar="COMMAND")
    export = _add(both, "export", "draw judged answers for people to label, blind")
    export.add_argument("--n", type=int, default=50, help="how many (50)")
    export.add_argument("--out", required=True, metavar="DIR", help="folder or URI")
    export.set_defaults(command=_export)
    labels = _add(both, "import", "say how far judge and people agree")
    labels.add_argument("labels", metavar="LABELS.csv", help="path or URI")
    labels.add_argument(
        "--pass-at", type=int, metavar="SCORE", help="an answer passes from here (two thirds up)"
    )
    labels.add_argument(
        "--bar",
        action="append",
        default=[],
        metavar="MEASURE=BOUND",
        help="weighted_kappa (0.4), spearman (0.4) or within_one (0: not asked for) that the judge "
        "is admitted at, on each side; repeatable",
    )
    labels.set_defaults(command=_import)
    anchors = _add(both, "anchors", "freeze judged answers for judge.anchors")
    anchors.add_argument("--n", type=int, default=30, help="how many (30)")
    anchors.add_argument("--out", required=True, metavar="FILE.jsonl", help="path or URI")
    anchors.set_defaults(command=_freeze)


def _add(both: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    parser = command.add(both, name, help_text)
    parser.add_argument("folder", metavar="RUN", help="run folder or URI")
    parser.add_argument("--rubric", metavar="FILE", help="what was judged on (judge.rubric)")
    return parser


def _export(arguments: argparse.Namespace) -> None:
    there = arguments.out.rstrip("/")
    with _run(arguments) as run, _written(arguments.out) as out:
        rubric = _rubric(arguments, run)
        items = draw(list(judged(run)), arguments.n)
        check_unlabelled(f"{there}/{ITEMS}")
        write_items(out / ITEMS, items, rubric)
        write_form(out / FORM, items, rubric)
    print(f"{len(items)} answers to label: {there}/{FORM}, or {there}/{ITEMS}")


def _freeze(arguments: argparse.Namespace) -> None:
    with _run(arguments) as run, _written(arguments.out) as out:
        rubric = _rubric(arguments, run)
        items = draw(list(judged(run)), arguments.n)
        summary = store.read_record(run / items[0].side / JUDGE, JudgeSummary)
        rows = [(item.sample, item.output, item.verdict) for item in items]
        count = freeze(out, rows, summary.model, rubric)
    print(f"{count} anchors: set judge.anchors to {arguments.out}")


def _import(arguments: argparse.Namespace) -> None:
    with _run(arguments) as run:
        agreements = _agreements(arguments, run)
        store.write_json(run / CALIBRATION, agreements)
    for name, agreement in agreements.items():
        print("\n".join(map(flat, describe(name, agreement))))


def _agreements(arguments: argparse.Namespace, run: Path) -> dict[str, Agreement]:
    bars = build(Bars, read_assignments("--bar", arguments.bar), "--bar")
    rubric = _rubric(arguments, run)
    items = {item.name: item for item in judged(run)}
    labels = read_labels(arguments.labels, items, rubric)
    pass_at = _pass_at(arguments.pass_at, rubric)
    return {
        name: compare(
            *_scored(name, items, labels),
            pass_at,
            (rubric.low, rubric.high),
            bars,
            _identity(run),
            _together(name, items, labels),
        )
        for name in rubric.dimensions
        if any(name in given for given in labels.values())
    }


def _pass_at(asked: int | None, rubric: Rubric) -> int:
    """Return from which score on an answer passes, two thirds up where nothing is `asked`. Raises
    SettingsError where all or none would."""
    if asked is None:
        return rubric.low + round((rubric.high - rubric.low) * 2 / 3)
    if not rubric.low < asked <= rubric.high:
        raise SettingsError(
            f"--pass-at {asked}: {'all' if asked <= rubric.low else 'none'} would pass, as the "
            f"rubric's scores go from {rubric.low} to {rubric.high}",
            f"Give one from {rubric.low + 1} to {rubric.high}",
        )
    return asked


@contextmanager
def _run(arguments: argparse.Namespace) -> Iterator[Path]:
    with store.mirrored(arguments.folder, weights=False, alone=False) as mirror:
        yield mirror.folder


@contextmanager
def _written(out: str) -> Iterator[Path]:
    """Give the path to write to; what is written is brought to `out` where that is a URI."""
    if not store.is_remote(out):
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / out.rstrip("/").rpartition("/")[2]
        yield path
        store.publish(path, out.rstrip("/"))


def _scored(
    name: str, items: dict[str, Item], labels: dict[str, dict[str, int]]
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, list[float]]]:
    """Return what is labelled and what is scored of one dimension, by side."""
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    scores: dict[str, list[float]] = defaultdict(list)
    for item in items.values():
        scores[item.side].append(item.verdict.values[name])
    for item_name, given in labels.items():
        if name in given:
            item = items[item_name]
            pairs[item.side].append((item.verdict.values[name], given[name]))
    return pairs, scores


def _together(
    name: str, items: dict[str, Item], labels: dict[str, dict[str, int]]
) -> dict[str, Together]:
    """Return the clusters of what `_scored` gives, by side, in the same order."""
    labelled = [items[item_name] for item_name, given in labels.items() if name in given]
    return {
        side: Together(
            pairs=[item.sample.cluster for item in labelled if item.side == side],
            scores=[item.sample.cluster for item in items.values() if item.side == side],
        )
        for side in SIDES
    }


def _identity(run: Path) -> str:
    """Return what the judge of the run is known by, "" where its sides had different ones."""
    paths = (run / side / JUDGE for side in SIDES)
    used = {store.read_record(path, JudgeSummary).identity for path in paths if path.is_file()}
    return used.pop() if len(used) == 1 else ""


def _rubric(arguments: argparse.Namespace, run: Path) -> Rubric:
    name = arguments.rubric
    if name is None:
        settings = config.load(run / CONFIG).judge
        name = settings.rubric if settings else "default-en"
    rubric = rubrics.load(name)
    for side in SIDES:
        path = run / side / JUDGE
        used = store.read_record(path, JudgeSummary) if path.is_file() else None
        if used and used.rubric_digest != rubric.digest:
            raise InputError(
                f"{arguments.folder} was judged on the rubric {used.rubric}, not on {name}",
                "Give that rubric as --rubric FILE",
            )
    return rubric
