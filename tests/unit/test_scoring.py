"""Another scoring stage is one file and one line: here it is registered before anything else is
imported, as its line would, and goes all the way from a configuration to the report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay.config import MODES
from assay.scoring import SCORERS, Scorer
from components.preflight import preflight
from components.report import report

RUN = Path(__file__).parents[1] / "data" / "run"
ASKED = {
    "model": "org/model",
    "dataset": {"eval": "s3://b/eval.json"},
    "mode": "auto",
    "words": {"unit": 2.0},
}
ANOTHER = """
from dataclasses import dataclass
import sys
from assay import cases, scoring, store
from assay.errors import SettingsError
from assay.records import MetricSpec, Score

@dataclass(frozen=True, kw_only=True)
class WordSettings:
    unit: float = 1.0

def count(samples, predictions, out, settings, *, listen, twice=False):
    for side, answers in predictions.items():
        rows = (
            Score(
                id=sample.id,
                values={"words": len(prediction.output.split()) * settings.unit * (1 + twice)},
            )
            for sample, prediction in cases.read(samples, answers)
        )
        store.write_rows(out / side / "words" / "scores.jsonl", rows)
        spec = MetricSpec(name="words", direction="lower", meaning="Words of the answer.")
        store.write_rows(out / side / "words" / "specs.jsonl", [spec])

def check(settings):
    if settings.unit < 0:
        raise SettingsError("words.unit is negative", "Raise it")

scoring.SCORERS += (
    scoring.Scorer(
        name="words", title="Words", help="count the words", settings=WordSettings,
        usual=WordSettings(), modes=frozenset({"auto", "judge", "both"}), score=count,
        check=check, rows="words/scores.jsonl", flags={"twice": "count each twice"},
    ),
)
"""


def assay(*arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command, or other code, where the stage is registered."""
    run = code or f"from assay.cli.main import main; sys.exit(main({[*map(str, arguments)]}))"
    return subprocess.run(
        [sys.executable, "-c", ANOTHER + run], capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(RUN, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(ASKED))
    return tmp_path / "run"


def test_it_is_a_command_whose_scores_the_report_has(folder: Path) -> None:
    done = assay("words", folder, "--twice", "--set", "words.unit=0.5")
    assert done.returncode == 0, done.stderr
    done = assay("report", folder)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((folder / "metrics.json").read_text())
    words = {row["side"]: row for row in numbers["metrics"] if row["name"] == "words"}
    lines = (folder / "candidate/predictions.jsonl").read_text().splitlines()
    counts = [len(json.loads(line)["output"].split()) for line in lines]
    assert words["candidate"]["value"] == pytest.approx(sum(counts) / len(counts))
    assert words["candidate"]["low"] < words["candidate"]["value"] < words["candidate"]["high"]
    compared = {row["name"]: row for row in numbers["comparisons"]}
    assert compared["words"]["direction"] == "lower"
    assert "bleu-4" in compared


def test_it_is_a_section_that_is_checked_and_sent(folder: Path) -> None:
    code = f"""
from pathlib import Path
from assay import compiled, config, plan
from assay.kubeflow import pipelines
from assay.kubeflow.parameters import to_parameters
asked = config.load(Path({str(folder / "config.yaml")!r}))
spec = pipelines.spec(compiled.pipeline("evaluate").read_text())
arguments = to_parameters(asked, spec)
assert arguments["more_settings"] == {{"words": {{"unit": 2.0}}}}, arguments
assert list(plan.draft(asked).scoring) == ["metrics", "words"]
assert config.plain(asked)["words"] == {{"unit": 2.0}}
"""
    done = assay(code=code)
    assert done.returncode == 0, done.stderr
    done = assay("words", folder, "--set", "words.units=1")
    assert done.returncode == 2
    assert "words.units is not a setting. Did you mean unit?" in done.stderr


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)
def test_the_components_whose_source_is_shipped_know_each(scorer: Scorer) -> None:
    name = scorer.name
    assert name in preflight.component_spec.outputs
    assert f"{name}_scores" in report.component_spec.inputs


def test_each_stage_says_all_of_itself() -> None:
    assert len({scorer.name for scorer in SCORERS}) == len(SCORERS)
    for scorer in SCORERS:
        assert scorer.modes <= set(MODES)
        assert scorer.usual is None or isinstance(scorer.usual, scorer.settings)
