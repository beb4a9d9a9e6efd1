"""`assay calibrate`: what people get is blind, and what they send back is checked row by row."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from assay.calibrate.items import judged
from assay.cli import main
from assay.judge import rubric, verdicts
from assay.judge.anchors import load

DATA = Path(__file__).parents[2] / "data" / "run"
CONFIG = """
mode: judge
dataset: {eval: e.json}
model: m
judge: {endpoint: "http://127.0.0.1:9/v1", model: Qwen3-32B}
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA, tmp_path / "run"))
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def export(run: Path, n: int = 20) -> list[dict[str, str]]:
    assert main(["calibrate", "export", str(run), "--n", str(n), "--out", str(run / "out")]) == 0
    with (run / "out" / "items.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["item", "overall", "clarity"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_what_people_get_is_blind(run: Path) -> None:
    rows = export(run)
    assert len(rows) == len({row["item"] for row in rows}) == 20
    page = (run / "out" / "form.html").read_text()
    table = (run / "out" / "items.csv").read_text()
    commentary = {
        row.commentary for row in verdicts(run / "candidate/verdicts.jsonl").values() if row.values
    }
    for text in (page, table):
        for hint in ("baseline", "candidate", "house-", "SmolLM2", "Qwen3", *commentary):
            assert hint not in text
    assert all(not row["overall"] for row in rows)


def test_each_side_has_half_of_the_items_and_the_draw_repeats(run: Path) -> None:
    side = {item.name: item.side for item in judged(run)}
    first = [row["item"] for row in export(run)]
    assert [side[name] for name in first].count("candidate") == 10
    assert [row["item"] for row in export(run)] == first


def test_no_answer_becomes_a_formula_or_markup(run: Path) -> None:
    path = run / "candidate/predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    hostile = "=HYPERLINK(1)</script><script>alert(1)</script>"
    path.write_text("".join(json.dumps(row | {"output": hostile}) + "\n" for row in rows))
    answers = {row["answer"] for row in export(run, n=46)}
    assert f"'{hostile}" in answers
    assert hostile not in answers
    assert (run / "out" / "form.html").read_text().count("<script") == 2


def test_labels_say_how_far_the_judge_can_be_believed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {item.name: item for item in judged(run)}
    rows = export(run, n=46)
    for row in rows:
        row["overall"] = str(max(1, int(known[row["item"]].verdict.values["overall"]) - 1))
        row["clarity"] = ""
    labels = fill(run / "labels.csv", rows[:40])
    assert main(["calibrate", "import", str(run), str(labels)]) == 0
    said = capsys.readouterr().out
    assert "overall: 40 labels" in said
    assert "clarity" not in said
    assert "share of 7 and more" in said
    found = json.loads((run / "calibration.json").read_text())["overall"]
    assert found["within_one"] == 1
    assert 0 < found["bias"] <= 1
    assert found["means"]["candidate"]["value"] < found["means"]["candidate"]["judge"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": "stranger"}, "item stranger is not in the run"),
        ({"overall": "11"}, "overall = '11' is not on the scale"),
        ({"overall": "0"}, "overall = '0' is not on the scale"),
        ({"overall": "7.5"}, "overall = '7.5' is not on the scale"),
        ({"overall": "good"}, "overall = 'good' is not on the scale"),
    ],
)
def test_a_bad_label_is_named_by_its_row(
    run: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    rows = export(run)
    rows[1] |= change
    labels = fill(run / "labels.csv", rows)
    assert main(["calibrate", "import", str(run), str(labels)]) == 2
    error = capsys.readouterr().err
    assert f"labels.csv:3: {message}" in error or message in error
    assert not (run / "calibration.json").exists()


def test_labels_that_are_none_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = export(run)
    assert main(["calibrate", "import", str(run), str(fill(run / "l.csv", rows))]) == 2
    assert "has no labels" in capsys.readouterr().err
    rows[0]["overall"] = "5"
    labels = fill(run / "l.csv", [rows[0], rows[0]])
    assert main(["calibrate", "import", str(run), str(labels)]) == 2
    assert "stands twice" in capsys.readouterr().err
    (run / "l.csv").write_text("a;b\n1;2\n")
    assert main(["calibrate", "import", str(run), str(run / "l.csv")]) == 2
    assert "Keep the columns item, instruction_following" in capsys.readouterr().err
    assert main(["calibrate", "import", str(run), str(run / "none.csv")]) == 2
    assert "none.csv does not exist" in capsys.readouterr().err


def test_more_items_than_there_are_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--n", "99", "--out", str(run / "out")]
    assert main(["calibrate", "export", str(run), *out]) == 2
    assert "99 items are more than the 46 scored" in capsys.readouterr().err


def test_another_rubric_than_the_judges_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--rubric", "default-zh", "--out", str(run / "out")]
    assert main(["calibrate", "export", str(run), *out]) == 2
    assert "was judged on the rubric default-en, not on default-zh" in capsys.readouterr().err


def test_judged_answers_are_frozen_as_anchors(run: Path) -> None:
    out = run / "anchors.jsonl"
    assert main(["calibrate", "anchors", str(run), "--n", "10", "--out", str(out)]) == 0
    rows = load(str(out), rubric.load("default-en"))
    assert len(rows) == len({row.sample.id for row in rows}) == 10
    assert {row.model for row in rows} == {"Qwen3-32B"}
