"""Who is told whether the judge is admitted: the command, calibration.json, the report, the gate,
and a later run by the same judge."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.calibrate.items import judged
from assay.cli.main import main
from assay.errors import JudgeError
from assay.judge import JudgeSettings, JudgeSummary, check, judge
from assay.judge.log import identity
from assay.judge.rubric import load
from assay.records import Agreement
from assay.report import report
from tests.faults.endpoint import chat, scores, serving
from tests.unit.judge.conftest import prediction, sample

DATA = Path(__file__).parents[2] / "data" / "run"
SIDES = ("baseline", "candidate")
CONFIG = """
mode: judge
dataset: {eval: e.json}
model: m
judge: {endpoint: "http://127.0.0.1:9/v1", model: Qwen3-32B}
"""

Say = Callable[[str, int], int]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA, tmp_path / "run"))
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def same(_: str, score: int) -> int:
    return score


def opposite(_: str, score: int) -> int:
    return 11 - score


def wrong_on_the_candidate(side: str, score: int) -> int:
    return 11 - score if side == "candidate" else score


def imported(run: Path, label: Say, *more: str) -> int:
    """Import for every judged answer what `label` says of its side and its overall score."""
    with (run / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "overall"])
        for item in judged(run):
            writer.writerow([item.name, label(item.side, int(item.verdict.values["overall"]))])
    return main(["calibrate", "import", str(run), str(run / "labels.csv"), *more])


def agreement_of(run: Path) -> Agreement:
    return store.read_record(run / "calibration.json", dict[str, Agreement])["overall"]


def gated(run: Path, **policy: object) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    rules = {"rules": {"overall": {"max_drop": 9}, "bleu-4": {"max_drop": 99}}}
    gate = rules | {"min_pairs": 10, "max_unscored": 0.5, "trust_advisory": True} | policy
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"gate": gate}, sort_keys=False))


def pages(run: Path) -> list[str]:
    return [(run / name).read_text() for name in ("report.html", "report.md")]


@pytest.mark.parametrize(
    ("label", "admission", "short"),
    [
        (same, "admitted", []),
        (opposite, "not admitted", ["baseline", "baseline", "candidate", "candidate"]),
        (wrong_on_the_candidate, "not admitted", ["candidate", "candidate"]),
    ],
)
def test_the_command_the_file_the_report_and_the_gate_say_the_same(
    label: Say, admission: str, short: list[str], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gated(run, require_admitted=True)
    assert imported(run, label) == 0
    assert f"\n  {admission}" in capsys.readouterr().out
    agreement = agreement_of(run)
    assert agreement.admitted == (admission == "admitted")
    assert [phrase.split()[0] for phrase in agreement.shortfalls] == short
    written = report(run)
    assert written.admissions["overall"] == admission
    assert written.admissions["clarity"] == "not calibrated"
    assert store.read_json(run / "report.json")["admissions"] == written.admissions
    for page in pages(run):
        assert f"{admission}: " in page
    told = "do not admit the judge on overall" in " ".join(c.text.lower() for c in written.cautions)
    assert told == bool(short)
    assert written.gate is not None
    of_judge, of_bleu = written.gate.rulings
    assert of_bleu.decision == "GO"
    assert of_judge.decision == ("INCONCLUSIVE" if short else "GO")
    assert ("the judge is not admitted (" in of_judge.reason) == bool(short)


def test_a_judge_that_nobody_labelled_is_not_calibrated(run: Path) -> None:
    gated(run, require_admitted=True)
    written = report(run)
    assert set(written.admissions.values()) == {"not calibrated"}
    assert written.gate is not None
    assert written.gate.rulings[0].decision == "INCONCLUSIVE"
    for page in pages(run):
        assert "The judge is not calibrated on Overall, " in page
    gated(run, require_admitted=False)
    written = report(run)
    assert written.gate is not None
    assert written.gate.rulings[0].decision == "GO"


def test_the_difference_of_what_was_corrected_is_told(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(run, same) == 0
    assert "candidate minus baseline: share of 7 and more" in capsys.readouterr().out
    agreement = agreement_of(run)
    for change, sides in (
        (agreement.rate_difference, agreement.rates),
        (agreement.mean_difference, agreement.means),
    ):
        assert change is not None
        before, now = sides["baseline"], sides["candidate"]
        assert before.value is not None
        assert now.value is not None
        assert change.value == pytest.approx(now.value - before.value)
        assert change.low is not None
        assert change.high is not None
        assert change.value is not None
        assert change.low < change.value < change.high
    report(run)
    for page in pages(run):
        assert "difference " in page


@pytest.mark.parametrize(
    ("bar", "message"),
    [
        ("spearman=1", "--bar.spearman"),
        ("spearman=-0.5", "--bar.spearman"),
        ("spearman=high", "--bar.spearman"),
        ("pearson=0.5", "--bar.pearson is not a setting"),
        ("spearman", "has no value"),
    ],
)
def test_a_bar_that_is_none_is_refused_in_one_line(
    bar: str, message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(run, same, "--bar", bar) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (run / "calibration.json").exists()


def test_a_bar_of_ones_own_decides(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(run, same, "--bar", "weighted_kappa=0.99") == 0
    assert "not admitted: baseline weighted kappa" in capsys.readouterr().out
    assert imported(run, opposite, "--bar", "weighted_kappa=0", "--bar", "spearman=0") == 0
    assert "\n  admitted" in capsys.readouterr().out


@pytest.mark.parametrize("whose", ["another", ""])
def test_labels_of_another_judge_do_not_count(whose: str, run: Path) -> None:
    gated(run, require_admitted=True)
    assert imported(run, same) == 0
    found = json.loads((run / "calibration.json").read_text())
    found["overall"]["identity"] = whose
    store.write_json(run / "calibration.json", found)
    written = report(run)
    assert written.admissions["overall"] == "not calibrated"
    assert any("another judge or rubric" in caution.text for caution in written.cautions)
    assert written.gate is not None
    assert written.gate.rulings[0].decision == "INCONCLUSIVE"


def test_a_calibration_from_before_admission_is_read_and_admits_nobody(run: Path) -> None:
    assert imported(run, same) == 0
    found = json.loads((run / "calibration.json").read_text())
    for name in ("admitted", "shortfalls", "sides", "identity", "mean_difference"):
        del found["overall"][name]
    store.write_json(run / "calibration.json", found)
    assert report(run).admissions["overall"] == "not calibrated"


def settings_for(url: str, calibration: Path | str = "", **more: object) -> JudgeSettings:
    asked = {"self_test": False, "flip_sample": 0, "calibration": str(calibration)} | more
    return JudgeSettings(endpoint=url, model="fake", api_key_env="", **asked)  # type: ignore[arg-type]


def calibrated_by(run: Path, identity: str) -> Path:
    """Write what people's labels said of the judge of this identity; return where."""
    assert imported(run, same) == 0
    found = json.loads((run / "calibration.json").read_text())
    found["overall"]["identity"] = identity
    path = run.parent / "earlier.json"
    store.write_json(path, found)
    (run / "calibration.json").unlink()
    return path


def judge_all(run: Path, settings: JudgeSettings) -> None:
    for side in SIDES:
        log = run / side / "verdicts.jsonl"
        log.unlink()
        judge(run / "dataset.jsonl", run / side / "predictions.jsonl", log, settings)


def test_a_later_run_by_the_same_judge_is_calibrated_by_an_earlier_one(run: Path) -> None:
    gated(run, require_admitted=True)
    with serving(lambda _: chat(scores(6))) as endpoint:
        known = identity(settings_for(endpoint.url), load("default-en"))
        settings = settings_for(endpoint.url, calibrated_by(run, known))
        judge_all(run, settings)
    kept = store.read_record(run / "candidate" / "judge.json", JudgeSummary).calibration
    assert kept["overall"].admitted
    assert not kept["overall"].means  # they are of the earlier run's answers
    written = report(run)
    assert written.admissions["overall"] == "admitted"
    assert written.gate is not None
    assert written.gate.rulings[0].decision == "GO"
    assert not [c for c in written.cautions if "labels" in c.text.lower()]
    for page in pages(run):
        assert "admitted: " in page


def test_the_calibration_of_another_judge_is_refused_before_anything_is_asked(
    run: Path, tmp_path: Path
) -> None:
    samples, predictions = tmp_path / "s.jsonl", tmp_path / "p.jsonl"
    store.write_rows(samples, [sample("a")])
    store.write_rows(predictions, [prediction("a")])
    with serving(lambda _: chat(scores(6))) as endpoint:
        settings = settings_for(endpoint.url, calibrated_by(run, "another"))
        for asked in (
            lambda: check(settings, samples),
            lambda: judge(samples, predictions, tmp_path / "verdicts.jsonl", settings),
        ):
            with pytest.raises(JudgeError, match="is of another judge or rubric"):
                asked()
    assert not [body for body in endpoint.requests if "messages" in body]
    assert not (tmp_path / "verdicts.jsonl").exists()
