"""A metric says all about itself where it is written, and every view of it says the same."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from assay import store
from assay.folder import SPECS
from assay.llamafactory.totals import LIKELIHOOD
from assay.metrics import (
    CATALOGUE,
    CORPUS_METRICS,
    METRICS,
    TASK_METRICS,
    MetricsSettings,
    TaskSettings,
    compute_sides,
)
from assay.metrics.contract import CorpusFunction, LabelFunction
from assay.records import MetricSpec
from assay.report import report
from assay.run import answered

DATA = Path("tests/data/run")
PAGE = Path("docs/metrics.md").read_text(encoding="utf-8")
LIGHT = tuple(name for name in CATALOGUE if name != "bertscore")


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_metric_says_all_about_itself(name: str) -> None:
    metric = CATALOGUE[name]
    assert metric.name == name
    assert metric.direction in ("higher", "lower", "neither")
    assert (metric.kind == "total") == isinstance(metric.function, CorpusFunction)
    assert metric.kind in ("mean", "rate", "total")
    assert metric.scale == ((0.0, 100.0) if name != "length-ratio" else None)
    assert re.fullmatch(r"[^.]\S.*\.", metric.meaning)
    assert metric.group in ("task", "similarity", "diagnostic")
    assert (metric.reference != "") == (metric.group == "similarity"), (
        "a similarity says in `reference` which implementation it equals, against which it is "
        "tested; one that equals none is of the group task or diagnostic"
    )


def test_what_cannot_be_imported_is_said_by_the_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    from assay.metrics import unavailable

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    needing = {name for name, metric in CATALOGUE.items() if metric.package}
    assert {"rouge-l", "meteor", "rougeL-stem", "corpus-chrf"} < needing
    told = {name: f"pip install 'assay[{CATALOGUE[name].extra}]'" for name in needing}
    assert unavailable() == told
    assert told.pop("bertscore") == "pip install 'assay[bertscore]'"
    assert set(told.values()) == {"pip install 'assay[metrics]'"}


@pytest.mark.parametrize(
    ("package", "needing"),
    [
        ("jieba", {"rouge-1", "rouge-l"}),
        ("nltk", {"rouge1-stem", "rougeL-stem"}),
        ("rapidfuzz", {"rouge-l", "rougeL", "rougeL-stem"}),
    ],
)
def test_a_metric_needs_each_of_its_packages(
    package: str, needing: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    from assay.metrics import unavailable

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == package else find(n))
    names = ("rouge-1", "rouge-l", "rouge1", "rougeL", "rougeLsum", "rouge1-stem", "rougeL-stem")
    assert unavailable(names).keys() == needing


def test_every_metric_has_one_way_to_be_computed() -> None:
    of_labels = [
        name for name, metric in CATALOGUE.items() if isinstance(metric.function, LabelFunction)
    ]
    every = [*METRICS, *TASK_METRICS, *of_labels, *CORPUS_METRICS]
    assert sorted(every) == sorted(CATALOGUE)


@pytest.mark.parametrize("spec", [*CATALOGUE.values(), *LIKELIHOOD], ids=lambda spec: spec.name)
def test_the_docs_table_says_what_the_metric_says(spec: MetricSpec) -> None:
    (line,) = [row for row in PAGE.splitlines() if row.startswith(f"| `{spec.name}`")]
    _, meaning, direction, kind, scale, _ = (cell.strip() for cell in line.split("|")[1:7])
    assert (meaning, direction, kind) == (spec.meaning, spec.direction, spec.kind)
    numbers = tuple(map(float, scale.split(" to "))) if scale else None
    assert numbers == spec.scale


@pytest.fixture(name="run")
def make_run(tmp_path: Path) -> Path:
    """A run folder with every metric of the catalogue, but for the one that loads a model."""
    run = Path(shutil.copytree(DATA, tmp_path / "run"))
    predictions = answered({side: run / side for side in ("baseline", "candidate")})
    task = TaskSettings(pattern=".+", schema={"type": "object"})
    settings = MetricsSettings(metrics=LIGHT, processes=1, task=task)
    compute_sides(run / "dataset.jsonl", predictions, run, settings)
    return run


def test_the_report_says_what_the_metric_says(run: Path) -> None:
    rows = {row.name: row for row in report(run).summary}
    wanted = {name: CATALOGUE[name].spec for name in LIGHT}
    for name, spec in {**wanted, **{spec.name: spec for spec in LIKELIHOOD}}.items():
        row = rows[name]
        assert row.meaning.startswith(spec.meaning)
        assert (row.kind, row.direction, row.scale) == (spec.group, spec.direction, spec.scale)
        assert row.comparison is None or row.comparison.direction == spec.direction
    page = (run / "report.md").read_text()
    assert all(spec.meaning.replace("_", "\\_") in page for spec in wanted.values())


def test_a_run_carries_what_its_metrics_are(run: Path) -> None:
    for side in ("baseline", "candidate"):
        specs = list(store.read_rows(run / side / SPECS, MetricSpec))
        assert specs == [CATALOGUE[name].spec for name in LIGHT]


def test_a_run_without_specs_is_read_by_the_catalogue(run: Path) -> None:
    report(run)
    written = (run / "metrics.json").read_bytes()
    for side in ("baseline", "candidate"):
        (run / side / SPECS).unlink()
    report(run)
    assert (run / "metrics.json").read_bytes() == written
