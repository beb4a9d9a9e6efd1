"""What the report says of a choice among checkpoints, in each of its forms."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.report import report
from assay.report.charts import figures
from tests.chosen import MEANS, choose_in, selected

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def section_of(run: Path) -> str:
    text = (run / "report.md").read_text()
    return text.partition("## Checkpoints\n")[2].partition("\n## ")[0].replace("\\", "")


def test_the_choice_and_what_confirms_it_are_told_apart(run: Path) -> None:
    choice = choose_in(run)
    told = report(run)
    text = section_of(run)
    assert f"Step {choice.chosen}, of 5 checkpoints, is the candidate: it has the highest" in text
    best = next(each for each in choice.scored if each.step == choice.chosen)
    row = next(row for row in told.summary if row.name == "rouge-l")
    assert row.candidate is not None
    assert f"Being the best of 5 flatters it there: {best.value:.2f} (" in text
    mean = f"{row.candidate.value:.2f}"
    assert f"24 evaluation samples, which had no part in the choice, its rouge-l is {mean}" in text
    steps = ", ".join(map(str, choice.alike))
    assert (
        f"Not shown to be worse, with all pairs of checkpoints tested at once: step {steps}" in text
    )
    assert [line.split(" |")[0] for line in text.splitlines() if line.startswith("| ")][2:7] == [
        f"| {step}{', chosen' * (step == choice.chosen)}" for step in MEANS
    ]
    assert json.loads((run / "report.json").read_text())["checkpoints"]["chosen"] == choice.chosen


def test_the_curves_have_intervals_and_the_training_loss(run: Path) -> None:
    choice = choose_in(run)
    by_name = {figure["name"]: figure for figure in figures(report(run))}
    metric, losses = by_name["checkpoints"], by_name["checkpoints-loss"]
    [means] = metric["data"]
    assert means["x"] == list(MEANS)
    assert means["y"] == [each.value for each in choice.scored]
    ends = zip(means["y"], means["error_y"]["arrayminus"], strict=True)
    assert [value - below for value, below in ends] == pytest.approx(
        [each.low for each in choice.scored]
    )
    assert means["marker"]["symbol"].index("star") == list(MEANS).index(choice.chosen)
    assert [trace["name"] for trace in losses["data"]] == ["training", "selection samples"]
    assert "loss" not in by_name, "it is beside the checkpoints'"


def test_chosen_by_the_loss_there_is_one_curve_with_its_intervals(run: Path) -> None:
    choose_in(run, replace(selected(), metric="eval_loss", group="likelihood", direction="lower"))
    by_name = {figure["name"]: figure for figure in figures(report(run))}
    assert "checkpoints" not in by_name
    assert by_name["checkpoints-loss"]["data"][1]["error_y"]["array"]
    assert "it has the lowest mean eval_loss" in section_of(run)


def test_a_metric_that_the_evaluation_lacks_confirms_nothing(run: Path) -> None:
    choose_in(run, replace(selected(), metric="code-match"))
    report(run)
    assert "The evaluation has no code-match to confirm it." in section_of(run)


def test_one_checkpoint_is_no_choice(run: Path) -> None:
    choose_in(run, selected(means={60: 50.0}))
    report(run)
    assert "The training left one checkpoint, of step 60: nothing was chosen." in section_of(run)
    assert "flatters" not in section_of(run)


def test_one_that_failed_too_often_is_named_with_why(run: Path) -> None:
    choice = selected()
    failing = replace(choice.scored[0], barred="scored on 40 samples, where another one is on 60")
    choose_in(run, replace(choice, scored=(failing, *choice.scored[1:])))
    report(run)
    assert "| 20, not to be chosen: scored on 40 samples, where" in section_of(run)


def test_of_several_with_the_same_mean_it_is_the_earliest(run: Path) -> None:
    choice = selected()
    chosen = next(each for each in choice.scored if each.step == choice.chosen)
    same = replace(chosen, step=100, difference=0.0, difference_low=-1, difference_high=1, p=1.0)
    choose_in(run, replace(choice, scored=(*choice.scored[:-1], same), alike=(100,)))
    report(run)
    assert "is the candidate: the earliest of those with the highest mean" in section_of(run)


def test_the_samples_that_were_compared_are_counted(run: Path) -> None:
    choose_in(run, replace(selected(), shared=57))
    report(run)
    assert "evaluation, of which 57 have a score for each that could be chosen." in section_of(run)


def test_one_that_cannot_be_compared_is_not_said_to_be_worse(run: Path) -> None:
    choice = selected(means={20: 10.0, 40: 90.0, 60: 11.0})
    nothing: dict[str, Any] = {
        "difference": None,
        "difference_low": None,
        "difference_high": None,
        "p": None,
    }
    failing = replace(choice.scored[0], barred="scored on 0 samples", **nothing)
    choose_in(run, choice)
    report(run)
    assert "Each other checkpoint is shown to be worse, with all" in section_of(run)
    choose_in(run, replace(choice, scored=(failing, *choice.scored[1:])))
    report(run)
    assert "Each other checkpoint that can be compared is shown to be worse" in section_of(run)
    choose_in(run, replace(choice, scored=(failing, choice.scored[1])))
    report(run)
    assert "No other checkpoint has the scores to be compared with it." in section_of(run)


def test_without_a_choice_the_report_says_nothing_of_checkpoints(run: Path) -> None:
    told = report(run)
    assert told.checkpoints is None
    assert "## Checkpoints" not in (run / "report.md").read_text()
    assert "loss" in {figure["name"] for figure in figures(told)}
