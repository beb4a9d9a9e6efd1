"""`assay calibrate`: what people get is blind, and what they send back is checked row by row."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
from pathlib import Path

import pytest
from scipy import stats

from assay import store
from assay.calibrate.items import judged
from assay.cli.main import main
from assay.errors import InputError
from assay.judge import rubric, verdicts
from assay.judge.anchors import load
from assay.report import report

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


def test_labels_that_a_spreadsheet_parted_by_semicolons_are_the_same(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "overall": str(5 + n % 3), "clarity": ""} for n, row in enumerate(export(run))]
    path = fill(run / "labels.csv", rows)
    assert main(["calibrate", "import", str(run), str(path)]) == 0
    agreed = (run / "calibration.json").read_bytes()
    path.write_text(path.read_text().replace(",", ";"))
    assert main(["calibrate", "import", str(run), str(path)]) == 0
    assert (run / "calibration.json").read_bytes() == agreed


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


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff20", "\n="])
def test_no_answer_becomes_a_formula_or_markup(sign: str, run: Path) -> None:
    path = run / "candidate/predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    hostile = f"{sign}HYPERLINK(1)</script><script>alert(1)</script>"
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


@pytest.mark.parametrize("command", ["export", "anchors"])
@pytest.mark.parametrize("n", ["0", "-3"])
def test_no_items_are_refused(
    run: Path, capsys: pytest.CaptureFixture[str], command: str, n: str
) -> None:
    out = run / "out"
    assert main(["calibrate", command, str(run), "--n", n, "--out", str(out)]) == 2
    assert f"--n {n} draws nothing" in capsys.readouterr().err
    assert not out.exists()


def test_an_answer_of_any_length_is_labelled(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "candidate/predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    long = "long " * 100_000
    path.write_text("".join(json.dumps(row | {"output": long}) + "\n" for row in rows))
    csv.field_size_limit(131_072)  # what it is where nothing has raised it
    again = ["calibrate", "export", str(run), "--n", "46", "--out", str(run / "out")]
    assert main(again) == 0
    assert main(again) == 0
    csv.field_size_limit(1_000_000)
    with (run / "out/items.csv").open(encoding="utf-8-sig", newline="") as file:
        items = [row | {"overall": "5"} for row in csv.DictReader(file)]
    csv.field_size_limit(131_072)
    assert main(["calibrate", "import", str(run), str(fill(run / "l.csv", items))]) == 0
    assert "overall: 46 labels" in capsys.readouterr().out


def test_labels_are_not_exported_over(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, path = export(run), run / "out" / "items.csv"
    assert export(run) == rows  # nothing was labelled yet
    labelled = fill(path, [rows[0] | {"overall": "7"}, *rows[1:]]).read_bytes()
    assert main(["calibrate", "export", str(run), "--n", "5", "--out", str(run / "out/")]) == 2
    assert "items.csv has labels, which would be lost" in capsys.readouterr().err
    assert path.read_bytes() == labelled


@pytest.mark.parametrize("score", ["-1", "1", "11"])
def test_a_score_that_all_or_none_pass_at_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], score: str
) -> None:
    labels = fill(run / "l.csv", [row | {"overall": "5"} for row in export(run)])
    assert main(["calibrate", "import", str(run), str(labels), "--pass-at", score]) == 2
    assert "Give one from 2 to 10" in capsys.readouterr().err
    assert not (run / "calibration.json").exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("item,overall,overall\n{0},5,7\n", "has the column overall twice"),
        ("item,overall,item\n{0},5,{0}\n", "has the column item twice"),
        ("item,overall,qualty\n{0},5,7\n", "qualty, which is no dimension. Did you mean quality?"),
        ("item,overall,Clarity\n{0},5,7\n", "Did you mean clarity?"),
        ("item,overall\n{0},5,7\n", "l.csv:2 has more cells than there are columns"),
        (f"item,overall\n{{0}},{'9' * 5000}\n", "is not on the scale"),
    ],
)
def test_no_label_is_lost_without_a_word(
    run: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    path = run / "l.csv"
    path.write_text(table.format(export(run)[0]["item"]))
    assert main(["calibrate", "import", str(run), str(path)]) == 2
    assert message in capsys.readouterr().err
    assert not (run / "calibration.json").exists()


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


def test_a_run_in_a_store_is_calibrated_there(
    run: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    for path in sorted(run.iterdir()):
        store.publish(path, f"{bucket}/runs/x/{path.name}")
    uri = f"{bucket}/runs/x"
    assert main(["calibrate", "export", uri, "--n", "20", "--out", f"{bucket}/labels"]) == 0
    assert set(store.listed(f"{bucket}/labels")) == {"form.html", "items.csv"}
    folder = store.fetch(f"{bucket}/labels", tmp_path / "fetched")
    with (folder / "items.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row | {"overall": "7"} for row in csv.DictReader(file)]
    store.publish(fill(tmp_path / "l.csv", rows), f"{bucket}/l.csv")
    assert main(["calibrate", "import", uri, f"{bucket}/l.csv"]) == 0
    there = store.fetch(f"{uri}/calibration.json", tmp_path / "result")
    assert main(["calibrate", "import", str(run), str(tmp_path / "l.csv")]) == 0
    assert json.loads(there.read_text()) == json.loads((run / "calibration.json").read_text())
    out = f"{bucket}/anchors.jsonl"
    assert main(["calibrate", "anchors", uri, "--n", "6", "--out", out]) == 0
    assert len(load(out, rubric.load("default-en"))) == 6


def test_a_bad_label_in_a_store_is_named_by_its_uri(
    run: Path, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = export(run)
    rows[0]["overall"] = "11"
    store.publish(fill(run / "l.csv", rows), f"{bucket}/l.csv")
    assert main(["calibrate", "import", str(run), f"{bucket}/l.csv"]) == 2
    assert f"{bucket}/l.csv:2: item" in capsys.readouterr().err
    assert main(["calibrate", "import", str(run), f"{bucket}/none.csv"]) == 2
    assert "none.csv does not exist" in capsys.readouterr().err
    assert main(["calibrate", "import", str(run), str(run / "none.csv")]) == 2
    assert "none.csv does not exist" in capsys.readouterr().err
    assert main(["calibrate", "import", str(run), str(run)]) == 2
    assert "is a folder" in capsys.readouterr().err


def labelled(run: Path) -> list[tuple[str, float, int]]:
    """Import labels on 40 answers that are a little lower than the judge's scores; return each as
    (side, score, label)."""
    known = {item.name: item for item in judged(run)}
    rows, found = export(run, n=46)[:40], []
    for at, row in enumerate(rows):
        item = known[row["item"]]
        score = item.verdict.values["overall"]
        label = max(1, int(score) - at % 3)
        row["overall"], row["clarity"] = str(label), ""
        found.append((item.side, score, label))
    assert main(["calibrate", "import", str(run), str(fill(run / "labels.csv", rows))]) == 0
    return found


def test_the_report_shows_what_people_said(run: Path) -> None:
    found = labelled(run)
    written = report(run)
    scores, labels = [score for _, score, _ in found], [label for _, _, label in found]
    one = written.calibration["overall"]
    kappa = cohen_kappa(scores, labels)
    spearman = stats.spearmanr(scores, labels).statistic
    bias = statistics.fmean(a - b for a, b in zip(scores, labels, strict=True))
    every = [item.verdict.values["overall"] for item in judged(run) if item.side == "candidate"]
    gaps = [label - score for side, score, label in found if side == "candidate"]
    corrected = statistics.fmean(every) + statistics.fmean(gaps)
    mean = one.means["candidate"]
    for name in ("report.html", "report.md"):
        text = (run / name).read_text()
        assert f"weighted kappa {kappa:.2f}, Spearman {spearman:.2f}" in text
        assert f"+{bias:.2f} (+{one.bias_low:.2f} to +{one.bias_high:.2f})" in text
        assert f"candidate {corrected:.2f} ({mean.low:.2f} to {mean.high:.2f})" in text
    assert f"| Overall | {len(found)} | " in (run / "report.md").read_text()
    assert not [caution for caution in written.cautions if "import them again" in caution.text]


def cohen_kappa(left: list[float], right: list[int]) -> float:
    """Cohen's kappa with quadratic weights from its definition: observed over expected disagreement
    in the table of counts."""
    n = len(left)
    seen = sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) / n
    return 1 - seen / (sum((a - b) ** 2 for a in left for b in right) / n**2)


def test_labels_of_other_verdicts_are_told(run: Path) -> None:
    labelled(run)
    path = run / "candidate/verdicts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    changed = next(row for row in rows if row["values"])
    changed["values"]["overall"] = 11 - changed["values"]["overall"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = report(run)
    assert [c for c in written.cautions if c.text.endswith("these: import them again.")]
    assert written.calibration


def test_a_damaged_calibration_is_named(run: Path) -> None:
    (run / "calibration.json").write_text('{"overall": {"n": 3}}')
    with pytest.raises(InputError, match=r"calibration\.json"):
        report(run)
