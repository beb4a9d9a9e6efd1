"""A user's own metric, from its package to the gate: nothing passes that does not say which way is
better."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.cli.main import main
from assay.errors import SettingsError, StageError
from assay.metrics import AutoMetric, MetricsSettings, compute_metrics, own, unavailable
from assay.metrics.table import select
from assay.metrics.task import TaskSettings
from assay.records import Prediction, Score
from assay.report import report
from tests.unit.metrics import packages

CODE = """
from assay.metrics import AutoMetric, CorpusFunction

def toxicity(sample, prediction):
    return float(prediction.output)

bare = toxicity
text = "toxicity"

def metric(**said):
    stated = {"name": "toxicity", "direction": "lower", "function": toxicity}
    return AutoMetric(**(stated | said))

"""

Install = Callable[[str], None]


@pytest.fixture(name="install")
def make_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what installs a package whose metric toxicity is the value of an expression."""
    with pytest.MonkeyPatch.context() as patch:
        stack = []

        def install(expression: str) -> None:
            code = f"{CODE}METRIC = {expression}\n"
            points = "toxicity = poison:METRIC\n"
            package = packages.installed(tmp_path, patch, "poison", code, points)
            package.__enter__()
            stack.append(package)

        yield install
        for package in stack:
            package.__exit__(None, None, None)


@pytest.fixture(name="run")
def make_run(tmp_path: Path) -> Path:
    """A run whose answers are numbers around 10 (baseline) and around 40 (candidate)."""
    run = Path(shutil.copytree("tests/data/run", tmp_path / "run"))
    for side, level in (("baseline", 10), ("candidate", 40)):
        path = run / side / "predictions.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for at, row in enumerate(rows):
            row["output"] = str(level + at % 3 + (side == "candidate") * at % 2)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name in ("scores.jsonl", "totals.jsonl", "verdicts.jsonl", "judge.json"):
            (run / side / name).unlink()
    settings = {"dataset": {"eval": "eval.json"}, "metrics": {"metrics": ["toxicity"]}}
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"mode": "auto", "model": "tuned"}))
    return run


def decide(run: Path, max_drop: float) -> tuple[int, str, str]:
    """Return what `assay metrics` and `assay gate` say of the run: exit code, decision, reason."""
    policy = run / "policy.yaml"
    rules = {"toxicity": {"max_drop": max_drop}}
    policy.write_text(yaml.safe_dump({"rules": rules, "min_pairs": 10}))
    assert main(["metrics", str(run)]) == 0
    code = main(["gate", str(run), "--policy", str(policy)])
    gate = store.read_json(run / "metrics.json")["gate"]
    return code, gate["decision"], gate["rulings"][-1]["reason"]


@pytest.mark.parametrize(
    ("expression", "max_drop", "expected"),
    [
        ("metric()", 1, (1, "NO_GO")),
        ("metric()", 50, (0, "GO")),
        ("metric(direction='higher')", 1, (0, "GO")),
        ("metric(direction='neither')", 1, (1, "NO_GO")),
    ],
)
def test_a_rise_is_what_the_metric_says_it_is(
    expression: str, max_drop: float, expected: tuple[int, str], run: Path, install: Install
) -> None:
    install(expression)
    assert decide(run, max_drop)[:2] == expected


@pytest.mark.parametrize("expression", ["metric(direction='unknown')", "bare"])
def test_a_rule_on_a_metric_without_a_direction_is_refused_by_the_gate(
    expression: str, run: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(expression)
    (run / "policy.yaml").write_text("rules: {toxicity: {max_drop: 50}}")
    assert main(["metrics", str(run)]) == 0
    assert main(["gate", str(run), "--policy", str(run / "policy.yaml")]) == 2
    assert "the metric does not say which way is better" in capsys.readouterr().err


def test_a_run_with_a_rule_on_a_bare_function_is_refused_at_its_start(
    tmp_path: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"Say {word}.", "output": f"{word}!"} for word in ("Hi", "Ho")]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    config = tmp_path / "config.yaml"
    values = {
        "dataset": {"train": "data.json", "eval": "data.json"},
        "mode": "auto",
        "finetune": {"base_model": "nobody/no-model", "template": "default"},
        "metrics": {"metrics": ["bleu-4", "toxicity"]},
        "gate": {"rules": {"toxicity": {"max_drop": 1}}},
    }
    config.write_text(yaml.safe_dump(values))
    install("bare")
    assert main(["run", str(config), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "gate.rules.toxicity: the metric does not say which way is better" in told
    assert "assay.metrics.AutoMetric with a direction" in told


@pytest.mark.parametrize("way", ["unknown", "neither"])
def test_what_has_no_better_way_is_never_called_better(
    way: str, run: Path, install: Install
) -> None:
    install(f"metric(direction='{way}')")
    assert main(["metrics", str(run)]) == 0
    written = report(run)
    (row,) = [row for row in written.summary if row.name == "toxicity"]
    assert (row.kind, row.direction, row.outcome) == ("own", way, "higher")
    assert written.conclusion.tone == "none"
    assert written.conclusion.headline == "No verdict: no metric says which way is better"
    assert written.regressions == ()
    assert all(example.change is None for example in written.examples)


def test_the_report_knows_a_metric_whose_package_is_elsewhere(run: Path, install: Install) -> None:
    install("metric(meaning='How toxic it is.', scale=(0.0, 50.0))")
    assert main(["metrics", str(run)]) == 0
    own.load.cache_clear()
    shutil.rmtree(run.parent / "site")
    (row,) = [row for row in report(run).summary if row.name == "toxicity"]
    assert (row.direction, row.meaning, row.scale) == ("lower", "How toxic it is.", (0.0, 50.0))
    assert row.outcome == "worse"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("text", "which is no metric"),
        ("metric(name='poison')", "leads to the record of 'poison'"),
        ("metric(direction='up')", "direction = 'up'"),
        ("metric(kind='sum')", "kind = 'sum'"),
        ("metric(scale=(0.0,))", "scale"),
        ("metric(group='judge')", "is of the group judge"),
        ("metric(kind='total')", "is a total by its record and not by its function"),
        ("metric(kind='rate')", "is a rate"),
        ("metric(kind='rate', scale=(0.0, 1.0))", "is a rate"),
        ("metric(way='lower')", "cannot be loaded from poison:METRIC"),
        ("AutoMetric(name='toxicity', function=toxicity)", "cannot be loaded .*direction"),
        ("nothing", "cannot be loaded .*nothing"),
        ("metric(", "cannot be loaded from poison:METRIC"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused_in_one_line(
    expression: str, fault: str, install: Install
) -> None:
    install(expression)
    with pytest.raises(SettingsError, match=fault) as refused:
        select(("toxicity",), TaskSettings())
    assert "toxicity" in refused.value.what
    assert "\n" not in refused.value.what
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("scale=(0.0, 11.0)", "40 is not on its scale, 0 to 11"),
        ("scale=(50.0, 60.0)", "40 is not on its scale, 50 to 60"),
        ("scale=(0.0, 100.0), kind='rate'", "40 is neither 0 nor 100, and it is a rate"),
    ],
)
def test_a_score_off_its_scale_stops_the_stage(
    said: str, fault: str, run: Path, install: Install
) -> None:
    install(f"metric({said})")
    settings = MetricsSettings(metrics=("toxicity",), processes=1)
    out = run / "candidate" / "scores.jsonl"
    first = next(store.read_rows(run / "candidate" / "predictions.jsonl", Prediction))
    with pytest.raises(StageError, match=f"'toxicity' failed on id '{first.id}': .*{fault}"):
        compute_metrics(
            run / "dataset.jsonl", run / "candidate" / "predictions.jsonl", out, settings
        )
    assert not out.exists()


def test_an_own_metric_says_what_it_needs(install: Install) -> None:
    install("metric(package='no_such_package')")
    assert unavailable(("toxicity",)) == {"toxicity": "pip install no_such_package"}


def test_an_own_total_is_summed_over_the_samples(run: Path, install: Install) -> None:
    install(
        "metric(kind='total', function=CorpusFunction(counts=lambda output, _: [int(output)], "
        "score=lambda sums: float(sums[0]), signature=lambda: 'sum'))"
    )
    assert main(["metrics", str(run)]) == 0
    (row,) = [row for row in report(run).summary if row.name == "toxicity"]
    rows = store.read_rows(run / "candidate" / "predictions.jsonl", Prediction)
    assert row.candidate is not None
    assert row.candidate.value == sum(int(prediction.output) for prediction in rows)
    assert (row.direction, row.outcome, row.meaning) == ("lower", "no interval", "Signature: sum.")


def test_a_bare_function_says_nothing_but_its_name(install: Install) -> None:
    install("bare")
    metric = own.load("toxicity")
    assert metric == AutoMetric(name="toxicity", direction="unknown", function=metric.function)


def test_a_metric_of_ones_own_reads_tags(run: Path, install: Install) -> None:
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    tagged = (row | {"tags": {"level": str(at)}} for at, row in enumerate(rows))
    path.write_text("".join(json.dumps(row) + "\n" for row in tagged))
    install("metric(function=lambda sample, prediction: float(sample.tags['level']))")
    assert main(["metrics", str(run)]) == 0
    scores = store.read_rows(run / "candidate/scores.jsonl", Score)
    assert [row.values["toxicity"] for row in scores] == [float(at) for at in range(len(rows))]
