"""The pages about metrics: their code runs, their names and numbers are the program's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import store
from assay.errors import SettingsError, StageError
from assay.metrics import (
    CATALOGUE,
    DIAGNOSTICS,
    METRICS,
    AutoMetric,
    MetricsSettings,
    TaskSettings,
    compute_metrics,
    own,
    totals,
)
from assay.metrics.table import select
from assay.records import Prediction, Sample, Score
from tests.unit.metrics import packages
from tests.unit.metrics.pairs import pair

DOCS = Path("docs")
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
COMPARED = (DOCS / "metrics-compared.md").read_text(encoding="utf-8")


def code(after: str) -> str:
    """Return the code block of the page that begins with `after`."""
    found = re.search(rf"```{re.escape(after)}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_page_names_every_metric() -> None:
    cells = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`( \*)?", cell)]
    names = {name for name, _ in named}
    assert CATALOGUE.keys() <= names
    starred = {name for name, star in named if star}
    assert starred == set(MetricsSettings().metrics)
    assert set(DIAGNOSTICS) <= starred


@pytest.mark.parametrize("row", [line for line in COMPARED.splitlines() if line.startswith("| `")])
def test_the_numbers_that_differ_are_the_programs(row: str) -> None:
    output, target, *numbers = (cell.strip() for cell in row.split("|")[1:5])
    texts = (text.strip("`").replace("\\n", "\n") for text in (output, target))
    sample, prediction = pair(*texts)
    found = re.findall(r"`([^`]+)` ([0-9.]+)", " ".join(numbers))
    assert len(found) >= 2
    for name, value in found:
        assert f"{METRICS[name](sample, prediction):.1f}" == value


def test_what_a_line_feed_after_the_label_costs_is_the_programs() -> None:
    told = re.search(r"`([^`]+)` against itself has ([0-9.]+) there", COMPARED.replace("\n", " "))
    assert told
    answer, there = told.groups()
    for target, value in ((answer, 100.0), (f"{answer}\n", float(there))):
        assert round(METRICS["bleu-4"](*pair(answer, target)), 1) == value


def test_ten_samples_are_compared() -> None:
    assert len(re.findall(r"^\| `", COMPARED, re.MULTILINE)) == 10


def write_run(folder: Path, outputs: list[str]) -> None:
    pairs = [pair(output, "Please sit down.") for output in outputs]
    samples = [
        Sample(id=str(at), messages=(), target=one.target) for at, (one, _) in enumerate(pairs)
    ]
    predictions = [
        Prediction(id=str(at), output=one.output, finish="stop", prompt_tokens=1, output_tokens=1)
        for at, (_, one) in enumerate(pairs)
    ]
    store.write_rows(folder / "dataset.jsonl", samples)
    store.write_rows(folder / "candidate" / "predictions.jsonl", predictions)


def test_the_pages_first_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "run", ["Please sit down.", "Sit!"])
    monkeypatch.chdir(tmp_path)
    exec(code("python no-run"), {})  # noqa: S102 - the page's own code
    assert capsys.readouterr().out.startswith("corpus-chrf 56.8")
    scores = list(store.read_rows(tmp_path / "run" / "candidate" / "scores.jsonl", Score))
    assert [set(score.values) for score in scores] == [{"bleu-4", "rouge-l"}] * 2
    assert totals(tmp_path / "run" / "candidate" / "scores.jsonl").keys() == {"corpus-chrf"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the page's package, with two entry points that lead nowhere."""
    head, points = code("toml").replace('"', "").split("\n", 1)
    assert head == f"[project.entry-points.{own.ENTRY_POINT_GROUP}]"
    points += "missing = politeness:rude\ngone = no_such_module:polite\n"
    page = code('python title="politeness.py"')
    with packages.installed(tmp_path, monkeypatch, "politeness", page, points):
        yield tmp_path


@pytest.mark.parametrize("processes", [1, 2])
def test_the_pages_own_metric_is_found_and_used(installed: Path, processes: int) -> None:
    write_run(installed, ["Thank you!", "No.", " "] * 40)
    out = installed / "scores.jsonl"
    settings = MetricsSettings(metrics=("bleu-4", "polite"), processes=processes)
    compute_metrics(
        installed / "dataset.jsonl", installed / "candidate" / "predictions.jsonl", out, settings
    )
    scores = list(store.read_rows(out, Score))
    assert [score.values.get("polite") for score in scores[:3]] == [100.0, 0.0, None]
    assert scores[2].unscored == {"polite": "no_output"}


@pytest.mark.parametrize("name", ["missing", "gone"])
def test_an_entry_point_that_leads_nowhere_is_named(installed: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"'{name}' cannot be loaded from .*install"):
        select((name,), TaskSettings())


def test_an_own_metrics_name_is_suggested(installed: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean polite"):
        select(("polit",), TaskSettings())


def test_a_killed_process_is_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    parent = os.getpid()

    def dies(sample: Sample, prediction: Prediction) -> float:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    metric = AutoMetric(name="dies", direction="higher", function=dies)
    monkeypatch.setitem(CATALOGUE, "dies", metric)
    write_run(installed, ["x"] * 100)
    with pytest.raises(StageError, match="killed"):
        compute_metrics(
            installed / "dataset.jsonl",
            installed / "candidate" / "predictions.jsonl",
            installed / "scores.jsonl",
            MetricsSettings(metrics=("dies",), processes=2),
        )
    assert not (installed / "scores.jsonl").exists()
