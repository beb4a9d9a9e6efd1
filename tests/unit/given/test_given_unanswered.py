"""A question without an answer counts as one: who answers the easy half alone wins nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import main
from assay.config import save
from assay.errors import DatasetError
from tests.unit.given.conftest import Rows, asked, question, taken, written

SKIPPING = {"skip_invalid": True, "near_prompts": False}
COUNT = 80


def rows(count: int = COUNT, told: str = "Town", **ids: bool) -> list[dict[str, Any]]:
    """Return right answers, with ids but for `named=False`."""
    return [
        {
            **({"id": f"q{number}"} if ids.get("named", True) else {}),
            "prompt": question(number),
            "output": f"{told} {number}",
            "reference": f"Town {number}",
        }
        for number in range(count)
    ]


def half_silent(**more: Any) -> list[dict[str, Any]]:
    return [{**row, **({"output": None} if at % 2 else {})} for at, row in enumerate(rows(**more))]


def run(folder: Path, candidate: Rows, baseline: Rows, **dataset: Any) -> int:
    """Return the exit code of a run of two files under a gate."""
    settings = asked(
        {
            "candidate": str(written(folder / "candidate.jsonl", candidate)),
            "baseline": str(written(folder / "baseline.jsonl", baseline)),
        },
        dataset={**SKIPPING, **dataset},
        gate={"rules": {"exact-match": {"max_drop": 20}}, "min_pairs": 10},
    )
    save(settings, folder / "config.yaml")
    return main(["run", str(folder / "config.yaml"), "--out", str(folder / "run")])


@pytest.mark.parametrize("named", [True, False])
def test_a_gate_does_not_pass_over_what_the_candidate_did_not_answer(
    named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = rows(told="The Town", named=named)
    assert run(tmp_path, half_silent(named=named), baseline) == 3
    assert "50.0% of the candidate is unscored" in capsys.readouterr().out


def test_a_gate_that_sees_all_answers_passes_the_same_candidate(tmp_path: Path) -> None:
    assert run(tmp_path, rows(), rows(told="The Town")) == 0


@pytest.mark.parametrize("silent", [6, 4])
def test_rows_without_an_answer_are_failed_samples_up_to_a_share(
    silent: int, tmp_path: Path
) -> None:
    given: Rows = [*rows(10 - silent), *({**row, "output": None} for row in rows(10)[-silent:])]
    settings = asked(str(written(tmp_path / "a.jsonl", given)), dataset=SKIPPING)
    if silent > 5:
        with pytest.raises(DatasetError, match="has no answer to 6 of 10 samples, such as id=q4"):
            taken(settings, tmp_path / "run")
        return
    samples, answers = taken(settings, tmp_path / "run")
    assert [sample.id for sample in samples] == [f"q{number}" for number in range(10)]
    assert [row.unanswered for row in answers] == [""] * 6 + ["no_answer"] * 4
    summary = (tmp_path / "run" / "dataset.json").read_text()
    assert '"skipped": 0' in summary


def test_a_row_that_answers_in_the_place_of_a_silent_one_of_its_id_is_the_answer(
    tmp_path: Path,
) -> None:
    first, second = rows(2)
    given = [{**first, "output": None}, second, {**first, "output": None}, first]
    file = written(tmp_path / "a.jsonl", given)
    samples, answers = taken(asked(str(file), dataset=SKIPPING), tmp_path / "run")
    assert [sample.id for sample in samples] == ["q1", "q0"]
    assert [row.unanswered for row in answers] == ["", ""]


def test_what_only_the_baseline_answers_is_refused_or_left_out_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = rows(COUNT // 2), rows(told="The Town")
    assert run(tmp_path, *files, skip_invalid=False) == 2
    assert "answers 40 samples that" in (told := capsys.readouterr().err)
    assert "has no row for, such as id=q40" in told
    assert run(tmp_path, *files) == 0
