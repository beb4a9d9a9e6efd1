"""The judge, the data and the gate in the report: what a reader is told, in every format."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

import assay.report
from assay import store
from assay.cli.main import main
from assay.errors import InputError
from assay.gate import GatePolicy
from assay.records import Verdict
from assay.report import charts, report
from assay.report.families import families
from assay.settings import build

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def fail_self_test(run: Path) -> None:
    for side in ("baseline", "candidate"):
        path = run / side / "judge.json"
        summary = json.loads(path.read_text())
        for probe in summary["health"]["self_test"]:
            if probe["name"] == "planted":
                probe |= {"score": 10, "passed": False}
        summary["health"]["advisory"] = True
        path.write_text(json.dumps(summary))


def pages(run: Path) -> list[str]:
    return [(run / name).read_text() for name in ("report.html", "report.md")]


def gated(run: Path, **policy: Any) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"gate": policy}))


def test_the_judges_health_is_told_in_every_format(run: Path) -> None:
    summary = json.loads((run / "candidate/judge.json").read_text())
    report(run)
    document = store.read_json(run / "report.json")
    unsaid: dict[str, object] = {"directions": {}, "flips": None, "calibration": {}}
    unsaid |= {"estimated": 0, "spent": None, "max_cost": 0.0, "waited_s": 0.0}
    assert document["judging"]["candidate"] == summary | unsaid
    for page in pages(run):
        assert "Qwen3-32B at 127.0.0.1:8080" in page
        assert "passed: 5 of 5" in page
        assert "23 of 24; unscored: 1 parse" in page
        assert "temperature 0" in page
        assert "9,931 + 1,798" in page


def test_a_failed_self_test_makes_the_judge_advisory(run: Path) -> None:
    fail_self_test(run)
    written = report(run)
    assert written.conclusion.headline.startswith("Candidate better on bleu-4: +56.37 (95% int")
    assert written.conclusion.detail.startswith("Of 7 other metrics, 7 better and 0 worse")
    assert written.conclusion.tone == "none", "nothing is green over such a judge"
    shown = {row.outcome for row in written.summary if row.kind == "judge"}
    assert shown == {"higher", "none"}
    (said,) = [c.text for c in written.cautions if "self-test" in c.text]
    assert said.startswith("The judge failed its self-test (planted): its scores are advisory")
    html, markdown = pages(run)
    assert "<b>Advisory.</b>" in html
    for page in (html, markdown):
        assert "failed: 4 of 5" in page
        assert "✗ 10" in page


def leave_unanswered(run: Path, *names: str) -> None:
    for path in run.glob("*/judge.json"):
        summary = json.loads(path.read_text())
        for probe in summary["health"]["self_test"]:
            if probe["name"] in names:
                probe |= {"score": None, "passed": None}
        path.write_text(json.dumps(summary))


def test_a_self_test_that_was_not_answered_is_told_and_lets_nothing_through(run: Path) -> None:
    leave_unanswered(run, "planted", "gold")
    gated(run, rules={"overall": {"max_drop": 9}}, min_pairs=10)
    written = report(run)
    assert written.gate
    assert written.gate.decision == "INCONCLUSIVE"
    assert "no verdict on planted, gold of its self-test" in written.gate.rulings[0].reason
    (said,) = [c.text for c in written.cautions if "self-test" in c.text]
    assert said.startswith("The judge gave no verdict on planted, gold of its self-test")
    html, markdown = pages(run)
    assert "<b>Advisory.</b>" not in html
    for page in (html, markdown):
        assert "not fully tested: 3 of 5, 2 without a verdict" in page
        assert "– no verdict" in page
    jsonschema.validate(
        store.read_json(run / "report.json"),
        store.read_json(Path(assay.report.__file__).parent / "schema.json"),
    )


@pytest.mark.parametrize("names", [(), ("gold",)])
def test_a_loss_is_a_loss_whoever_tested_the_judge(run: Path, names: tuple[str, ...]) -> None:
    leave_unanswered(run, *names)
    gated(run, rules={"overall": {"max_drop": -9}}, min_pairs=10)
    written = report(run)
    assert written.gate
    assert written.gate.decision == "NO_GO"


def test_an_advisory_judge_alone_gives_no_verdict(run: Path) -> None:
    fail_self_test(run)
    for side in ("baseline", "candidate"):
        (run / side / "scores.jsonl").unlink()
    assert report(run).conclusion.headline == "No verdict: the judge failed its self-test"


def rescale(run: Path, low: int, high: int) -> None:
    """Make the run one that was judged from `low` to `high`."""
    for side in ("baseline", "candidate"):
        path = run / side / "judge.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"scale": [low, high]}))
        path = run / side / "verdicts.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            values = row["values"].items()
            row["values"] = {
                name: low + round((value - 1) * (high - low) / 9) for name, value in values
            }
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(("low", "high"), [(1, 5), (0, 3), (0, 100)])
def test_scores_are_told_on_the_rubrics_own_scale(run: Path, low: int, high: int) -> None:
    rescale(run, low, high)
    written = report(run)
    html = (run / "report.html").read_text()
    assert html.count(f"<span> of {high}</span>") == 5
    assert f"<span>{low}</span><span>{high}</span>" in html
    assert f"Judge, {low} to {high}" in html
    assert not re.search(r"of 10\b|1 to 10\b", html.partition('id="data"')[0])
    row = next(row for row in written.summary if row.name == "overall")
    assert (row.scale, written.judge_scale) == ((low, high), (low, high))
    given = [
        verdict.values["overall"]
        for verdict in store.read_rows(run / "candidate/verdicts.jsonl", Verdict)
        if "overall" in verdict.values
    ]
    counts = Counter(given)
    expected = tuple(counts[score] for score in range(low, high + 1))
    assert written.histograms["overall"]["candidate"] == expected
    assert sum(expected) == len(given)
    figures = {figure["name"]: figure for figure in charts.figures(written)}
    assert figures["histogram"]["data"][0]["x"] == list(range(low, high + 1))
    assert figures["lengths"]["layout"]["yaxis"]["range"] == [low - 0.5, high + 0.5]
    shown = figures["judge"]["layout"]["yaxis"]["range"]
    room = 0.1 * (high - low)
    assert low - room < shown[0] < shown[1] < high + room


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 10, [1, 4, 7, 10]),
        (1, 5, [1, 2, 3, 4, 5]),
        (0, 100, [0, 25, 50, 75, 100]),
        (1, 2, [1, 2]),
        (1, 8, [1, 8]),
        (-2, 2, [-2, -1, 0, 1, 2]),
    ],
)
def test_ticks_are_whole_scores_at_even_steps(low: int, high: int, expected: list[int]) -> None:
    assert charts.ticks(low, high) == expected


def test_sides_with_different_judges_are_not_compared(run: Path) -> None:
    path = run / "candidate" / "judge.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"identity": "other"}))
    written = report(run)
    assert written.conclusion.tone == "invalid"
    assert "different judges or rubrics" in written.cautions[0].text


@pytest.mark.parametrize("judged", [0, 5])
def test_a_judge_that_was_stopped_before_its_end_is_told(judged: int, run: Path) -> None:
    told = "The judge has not finished"
    assert not [caution for caution in report(run).cautions if told in caution.text]
    (run / "candidate" / "judge.json").unlink()
    log = run / "candidate" / "verdicts.jsonl"
    rows = log.read_text().splitlines(keepends=True)
    log.write_text("".join(rows[:judged]))
    (caution,) = [caution for caution in report(run).cautions if told in caution.text]
    samples = len((run / "dataset.jsonl").read_text().splitlines())
    assert f"has judged {judged} of {samples} answers of the candidate." in caution.text
    assert "finished: it has judged" in (run / "report.md").read_text()


def test_an_old_run_without_judge_json_has_a_report(run: Path) -> None:
    for side in ("baseline", "candidate"):
        (run / side / "judge.json").unlink()
    (run / "dataset.json").unlink()
    written = report(run)
    assert (written.judging, written.data, written.judge) == ({}, None, "Qwen3-32B")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("org/Qwen3-32B", {"Qwen"}),
        ("deepseek-r1-distill-qwen-7b", {"DeepSeek", "Qwen"}),
        ("meta-llama/Llama-3.1-8B-Instruct", {"Llama"}),
        ("gpt-5-mini", {"GPT"}),
        ("o3", {"GPT"}),
        ("gemma-3-4b-it", {"Gemini and Gemma"}),
        ("our-own-model", set()),
        ("cryptography-1b", set()),
    ],
)
def test_a_models_family_is_known_by_its_name(model: str, expected: set[str]) -> None:
    assert families(model) == expected


def test_the_data_is_told_in_every_format(run: Path) -> None:
    written = report(run)
    assert written.data is not None
    assert (written.data.evaluation.rows, written.data.evaluation.skipped) == (25, 1)
    texts = [caution.text for caution in written.cautions]
    assert any(text.startswith("1 of 24 evaluation prompts are in the training") for text in texts)
    assert any(text.startswith("1 of 25 rows of the evaluation data") for text in texts)
    for page in pages(run):
        assert "Rows left out as invalid" in page
        assert "0 are in the training data and 1 are much like one there." in page
    assert "house-005 ~ house-t88: 76% alike" in pages(run)[0]


def test_the_gate_is_the_first_thing_said_in_every_format(run: Path) -> None:
    gated(run, rules={"overall": {"max_drop": 0.3}, "bleu-4": {"max_drop": 1}}, min_pairs=20)
    written = report(run)
    assert written.gate is not None
    assert store.read_json(run / "metrics.json")["gate"]["decision"] == "GO"
    html, markdown = pages(run)
    assert '<h1 id="verdict">GO: 2 of 2 rules hold</h1>' in html
    assert markdown.splitlines()[2] == "**GO: 2 of 2 rules hold**"
    document = store.read_json(run / "report.json")
    schema = store.read_json(Path(assay.report.__file__).parent / "schema.json")
    jsonschema.validate(document, schema)
    assert [ruling["decision"] for ruling in document["gate"]["rulings"]] == ["GO", "GO"]


def test_the_gate_is_junit_with_a_case_for_each_rule(run: Path) -> None:
    fail_self_test(run)
    rules = {"overall": {"max_drop": 1}, "bleu-4": {"max_drop": -90}, "rouge-l": {"max_drop": 1}}
    gated(run, rules=rules | {"meteor": {"max_drop": -30}}, min_pairs=20)
    report(run, title="Nightly\x00\ufffe\uffff\ud800 <b>")
    suite = ElementTree.parse(run / "report.junit.xml").getroot()  # noqa: S314  our own file
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases["overall: max_drop 1"] == ["error"]
    assert cases["bleu-4: max_drop -90"] == ["failure"]
    assert cases["rouge-l: max_drop 1"] == []
    gated(run)
    report(run)
    assert not (run / "report.junit.xml").exists()


def test_what_voids_the_numbers_closes_the_gate(run: Path) -> None:
    gated(run, rules={"overall": {"max_drop": 5}}, min_pairs=20)
    path = run / "baseline/generation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dataset_hash": "0" * 64}))
    written = report(run)
    assert written.gate is not None
    assert written.gate.decision == "NO_GO"
    assert "different datasets" in written.gate.rulings[0].reason


REFUSED: list[dict[str, Any]] = [  # as preflight refuses them
    {"rules": {"overal": {"max_drop": 1}}},
    {"rules": {"corpus-bleu": {"max_drop": 1}}},
    {"rules": {"overall": {"max_drop": -9}}},
    {"rules": {"overall": {"max_drop": "150%"}}},
    {"rules": {"overall": {"max_drop": "9" * 400 + "%"}}},
    {"rules": {"overall": {"max_drop": "\u0665%"}}},
    {"rules": {"overall": {"max": 5}}},
    {"rules": {"win-rate": {"max_drop": 0}}},
    {"rules": {"overall": {"max_drop": 1}}, "primary": "overal"},
    {"rules": {"overall": {"max_drop": 1}}, "primary": "length-ratio"},
]


@pytest.mark.parametrize(
    ("policy", "code", "said"),
    [
        ({"rules": {"overall": {"max_drop": 0.3}}, "min_pairs": 20}, 0, "GO: 1 of 1 rule holds"),
        ({"rules": {"overall": {"max_drop": -8}}, "min_pairs": 20}, 1, "NO-GO: 1 of 1 rule broken"),
        ({"rules": {"overall": {"max_drop": 1}}}, 3, "INCONCLUSIVE: 1 of 1 rule not proven"),
        ({"mode": "both", "gate": {"rules": {"overall": {"max_drop": 1}}}}, 3, "INCONCLUSIVE: 1"),
        ({"gate": None}, 2, ""),
        ({"rules": {"empty": {"max": 2}}, "min_pairs": 20}, 3, "INCONCLUSIVE"),
        *((refused, 2, "") for refused in REFUSED),
        ({"rules": {"overall": {"max_dorp": 1}}}, 2, ""),
    ],
)
def test_the_exit_code_says_what_the_gate_said(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    policy: dict[str, Any],
    code: int,
    said: str,
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(policy))
    assert main(["gate", str(run), "--policy", str(path)]) == code
    out, err = capsys.readouterr()
    assert said in out
    assert err.count("\n") == (code == 2)
    assert (run / "report.json").exists() == (code != 2)


def test_a_run_without_a_policy_has_no_gate(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(run)]) == 2
    assert "has no section gate" in capsys.readouterr().err


def test_a_policy_in_the_configuration_is_checked(run: Path) -> None:
    gated(run, rules={"overall": {"max_drop": 1}}, min_pears=20)
    with pytest.raises(InputError, match="Did you mean min_pairs"):
        report(run)


def test_a_policy_given_takes_the_place_of_the_configured_one(run: Path) -> None:
    gated(run, rules={"overall": {"max_drop": -9}}, min_pairs=20)
    other = build(GatePolicy, {"rules": {"bleu-4": {"max_drop": 9}}, "min_pairs": 20}, "gate")
    written = report(run, policy=other)
    assert written.gate is not None
    assert written.gate.decision == "GO"


def test_a_judge_that_is_not_fully_tested_has_no_verdict_line(run: Path) -> None:
    leave_unanswered(run, "gold")
    conclusion = report(run).conclusion
    assert conclusion.primary == "bleu-4"
    assert conclusion.detail.startswith("Of 12 other metrics, ")


@pytest.mark.parametrize(
    ("primary", "trusting", "failed", "headline"),
    [
        ("rouge-l", False, False, "Candidate better on rouge-l: +60.96 (95% interval"),
        ("rouge-l", False, True, "Candidate better on rouge-l: +60.96 (95% interval"),
        ("clarity", False, False, "Candidate better on clarity: +2.45 (95% interval"),
        ("overall", False, True, "No verdict: the judge failed its self-test"),
        ("overall", True, True, "Candidate better on overall: +4.95 (95% interval"),
        ("safety", False, False, "No difference shown on safety: +0.36 (95% interval"),
        ("nothing", False, False, "No verdict: nothing, the primary metric, is not compared"),
        ("corpus-bleu", False, False, "No verdict: corpus-bleu, the primary metric, is not"),
        ("length-ratio", False, False, "No verdict: length-ratio, the primary metric, has no"),
    ],
)
def test_the_verdict_speaks_of_the_metric_that_the_policy_declares(
    run: Path, primary: str, trusting: bool, failed: bool, headline: str
) -> None:
    if failed:
        fail_self_test(run)
    rules = {"bleu-4": {"max_drop": 1}}
    gated(run, rules=rules, min_pairs=10, primary=primary, trust_advisory=trusting)
    written = report(run)
    assert written.gate
    assert written.gate.decision == "GO"
    conclusion = written.conclusion
    assert conclusion.headline.startswith(headline)
    assert conclusion.primary == primary
    green = headline.startswith("Candidate better") and not failed
    assert conclusion.tone == ("better" if green else "none")
    assert " other metrics, " in conclusion.detail


@pytest.mark.parametrize(
    ("rules", "decision", "tone"),
    [
        ({"bleu-4": {"max_drop": 1}}, "GO", "better"),
        ({"safety": {"max_drop": 0.01}}, "INCONCLUSIVE", "none"),
        ({"rouge-l": {"max_drop": -95}}, "NO_GO", "none"),
    ],
)
def test_the_verdict_is_not_green_over_a_gate_that_is_not_go(
    run: Path, rules: dict[str, Any], decision: str, tone: str
) -> None:
    gated(run, rules=rules, min_pairs=10, max_unscored=0.2)
    written = report(run)
    assert written.gate
    assert (written.gate.decision, written.conclusion.tone) == (decision, tone)
    assert written.conclusion.headline.startswith("Candidate better on overall: ")


def test_the_gate_says_how_often_a_good_candidate_is_stopped(run: Path) -> None:
    gated(run, rules={"bleu-4": {"max_drop": 10}}, min_pairs=10)
    written = report(run)
    assert written.gate
    assert written.gate.stopped
    for page in pages(run):
        assert "would be stopped by chance in" in page
    assert store.read_json(run / "metrics.json")["gate"]["stopped"] == list(written.gate.stopped)
