"""Rules on a part of the samples: overall@law, overall@category=law."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import config, preflight, task
from assay import report as reporting
from assay.cli.main import main
from assay.errors import InputError
from assay.gate import Gate, Ruling, read_policy
from assay.gate.subset import parts
from assay.records import Sample
from assay.report import accept, report
from assay.store import read_rows
from tests.unit.report.test_judging import fail_self_test

pytestmark = pytest.mark.usefixtures("any_hub")

DATA = Path(__file__).parents[2] / "data" / "run"
OPEN = {"min_pairs": 10, "max_unscored": 0.5}


@pytest.mark.parametrize(
    ("rule", "metric", "tag"),
    [
        ("overall", "overall", ""),
        ("overall@law", "overall", "law"),
        ("overall@category=law", "overall", "category=law"),
        ("overall@user@example.com", "overall", "user@example.com"),
        ("p@1", "p@1", ""),
        ("p@1@law", "p@1", "law"),
        ("p@1@a@b", "p@1", "a@b"),
        ("p@2", "p", "2"),
        ("overal@law", "overal", "law"),
        ("overall@", "overall", ""),
        ("@law", "", "law"),
        ("", "", ""),
    ],
)
def test_a_rule_is_a_metric_and_a_tag(rule: str, metric: str, tag: str) -> None:
    assert parts(rule, {"overall", "p", "p@1"}) == (metric, tag)


@pytest.fixture(name="run")
def make_run(tmp_path: Path) -> Path:
    return tagged_run(tmp_path / "run")


def tagged_run(folder: Path, **values: Any) -> Path:
    """Half of the 96 samples are of law, where the candidate's ROUGE-L is 40 lower than the
    baseline's, and half of tax, where it is 10 higher."""
    shutil.copytree(DATA, folder)
    for path in folder.rglob("*.jsonl"):
        if path.name not in ("trainer_log.jsonl", "totals.jsonl"):
            once = [json.loads(line) for line in path.read_text().splitlines()]
            write(path, [row | {"id": f"{row['id']}-{copy}"} for copy in range(4) for row in once])
    rows = [json.loads(line) for line in (folder / "dataset.jsonl").read_text().splitlines()]
    half = {row["id"]: "law" if at % 2 else "tax" for at, row in enumerate(rows)}
    write(folder / "dataset.jsonl", [row | {"tags": {"category": half[row["id"]]}} for row in rows])
    for side, scores in {
        "baseline": {"law": 60, "tax": 40},
        "candidate": {"law": 20, "tax": 50},
    }.items():
        path = folder / side / "scores.jsonl"
        old = [json.loads(line) for line in path.read_text().splitlines()]
        write(
            path,
            [
                row | {"values": {"rouge-l": scores[half[row["id"]]] + at % 5}, "unscored": {}}
                for at, row in enumerate(old)
            ],
        )
    asked = yaml.safe_load((folder / "config.yaml").read_text()) | values
    (folder / "config.yaml").write_text(yaml.safe_dump(asked))
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def ruled(run: Path, rules: Mapping[str, Any], **policy: Any) -> dict[str, Ruling]:
    given = read_policy({"rules": rules, **OPEN, **policy}, "gate")
    gate = report(run, policy=given).gate
    assert gate
    return {ruling.rule.partition(":")[0]: ruling for ruling in gate.rulings}


def test_a_loss_on_one_category_is_seen_where_the_whole_hides_it(run: Path) -> None:
    drop = {"max_drop": 25}
    given = ruled(
        run,
        {"rouge-l": drop, "rouge-l@law": drop, "rouge-l@tax": drop, "rouge-l@category=law": drop},
    )
    assert given["rouge-l"].decision == "GO"
    assert given["rouge-l@tax"].decision == "GO"
    assert given["rouge-l@law"].decision == "NO_GO"
    assert given["rouge-l@category=law"].reason == given["rouge-l@law"].reason
    assert "48 pairs" in given["rouge-l@law"].reason


def test_the_numbers_are_those_that_the_report_shows(run: Path) -> None:
    given = ruled(run, {"rouge-l@law": {"max_drop": 20}})["rouge-l@law"]
    (category,) = report(run).tags
    (law,) = (part for part in category.subsets if part.value == "law")
    (row,) = (row for row in law.rows if row.name == "rouge-l")
    assert row.comparison
    assert (given.estimate, given.low, given.high) == (
        row.comparison.difference,
        row.comparison.low,
        row.comparison.high,
    )


@pytest.mark.parametrize(
    ("rule", "bound", "decision"),
    [
        ("rouge-l@law", {"min": 10}, "GO"),
        ("rouge-l@law", {"min": 40}, "NO_GO"),
        ("rouge-l@tax", {"min": 40}, "GO"),
        ("rouge-l@law", {"max_drop": "90%"}, "GO"),
        ("rouge-l@law", {"max_drop": "10%"}, "NO_GO"),
        ("rouge-l@law", {"max_drop": 41}, "INCONCLUSIVE"),
    ],
)
def test_every_bound_holds_for_a_part(
    run: Path, rule: str, bound: Mapping[str, Any], decision: str
) -> None:
    assert ruled(run, {rule: bound})[rule].decision == decision


def test_a_part_has_its_own_share_without_a_score(run: Path) -> None:
    """An eighth of all are unscored, which is a quarter of law."""
    path = run / "candidate/scores.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    ids = [row.id for row in read_rows(run / "dataset.jsonl", Sample)]
    lacking = set(ids[1:25:2])
    write(
        path,
        [
            row | ({"values": {}, "unscored": {"rouge-l": "why"}} if row["id"] in lacking else {})
            for row in rows
        ],
    )
    rules = {"rouge-l": {"max_drop": 30}, "rouge-l@tax": {"max_drop": 1}}
    rules |= {"rouge-l@law": {"min": 1}}
    given = ruled(run, rules, min_pairs=10, max_unscored=0.2)
    assert given["rouge-l@tax"].decision == "GO"
    assert given["rouge-l"].reason.startswith("difference")
    assert "25.0% of the candidate is unscored, more than" in given["rouge-l@law"].reason


def test_what_holds_of_a_judges_metric_holds_of_it_on_a_part(run: Path) -> None:
    """Its self-test was not passed, so that nothing rests on it."""
    fail_self_test(run)
    given = ruled(run, {"overall": {"max_drop": 8}, "overall@law": {"max_drop": 8}})
    assert given["overall@law"].decision == given["overall"].decision == "IGNORED"
    trusting = ruled(run, {"overall@law": {"max_drop": 8}}, trust_advisory=True)
    assert trusting["overall@law"].decision == "GO"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("rouge-l@lawyer", "gate.rules.rouge-l@lawyer: no sample has the tag 'lawyer'. Did you"),
        ("rouge-l@", "gate.rules.rouge-l@ names no tag. Write a value behind the @"),
        ("roug-l@law", "gate.rules.roug-l@law: roug-l is no metric of this run"),
        ("corpus-bleu@law", "corpus-bleu is a total without an interval"),
    ],
)
def test_what_a_run_cannot_decide_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str, told: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({"rules": {rule: {"max_drop": 1}}, **OPEN}))
    assert main(["gate", str(run), "--policy", str(policy)]) == 2
    assert told in capsys.readouterr().err


def test_a_rule_that_the_samples_no_longer_have_proves_nothing(run: Path) -> None:
    """A run whose configuration names it has its report, which says so."""
    asked = yaml.safe_load((run / "config.yaml").read_text())
    asked["gate"] = {"rules": {"rouge-l@gone": {"max_drop": 1}}, **OPEN}
    (run / "config.yaml").write_text(yaml.safe_dump(asked))
    gate = report(run).gate
    assert isinstance(gate, Gate)
    assert gate.decision == "NO_GO"
    assert "not scored on both sides" in gate.rulings[0].reason


@pytest.fixture(name="values")
def make_values(tmp_path: Path) -> dict[str, Any]:
    """A configuration that evaluates 60 samples, 12 of them of law and 48 of tax."""
    rows = [
        {
            "instruction": f"ask {at}",
            "output": f"answer {at}",
            "category": "tax" if at % 5 else "law",
        }
        for at in range(60)
    ]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    return {
        "dataset": {"eval": str(tmp_path / "eval.json"), "tags": ["category"]},
        "model": str(tmp_path / "model"),
        "baseline": "org/base",
        "mode": "auto",
        "metrics": {"metrics": ["rouge-l"]},
        "generate": {"template": "qwen3"},
    }


@pytest.mark.parametrize(
    ("rule", "tags", "told"),
    [
        ("rouge-l@law", ["category"], "12 samples have that tag, fewer than gate.min_pairs = 20"),
        ("rouge-l@tax", ["category"], ""),
        ("rouge-l@category=tax", ["category"], ""),
        ("rouge-l@script=latin", [], ""),
        ("rouge-l@under 200", [], ""),
        ("rouge-l@tax", [], "gate.rules.rouge-l@tax: no sample has the tag 'tax'"),
        ("rouge-l@", ["category"], "gate.rules.rouge-l@ names no tag"),
        ("bleu-4@tax", ["category"], "does not compute bleu-4. Add it to metrics.metrics"),
        ("overall@tax", ["category"], "does not compute overall. Set mode: both, with a judge"),
        ("rouge-l@tax@law", ["category"], "no sample has the tag 'tax@law'"),
    ],
)
def test_before_a_run_a_part_is_looked_for(
    values: dict[str, Any], tmp_path: Path, rule: str, tags: list[str], told: str
) -> None:
    values["dataset"]["tags"] = tags
    values["gate"] = {"rules": {rule: {"max_drop": 1}}, "min_pairs": 20}
    if not told:
        assert preflight.prepare(config.parse(values), tmp_path / "run")
        return
    with pytest.raises(InputError) as caught:
        preflight.prepare(config.parse(values), tmp_path / "run")
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_part_is_held_against_the_accepted_model_too(tmp_path: Path) -> None:
    """The accepted model has on law what the baseline has, and the candidate has lost it."""
    history = str(tmp_path / "history")
    gate = {"rules": {"rouge-l@law": {"max_drop": 20}, "rouge-l@tax": {"max_drop": 20}}, **OPEN}
    first = tagged_run(tmp_path / "first", history=history, gate=gate)
    shutil.copy(first / "baseline/scores.jsonl", first / "candidate/scores.jsonl")
    reporting.report_in(history, first)
    accept(str(first), why="fit", by="Ada")
    second = tagged_run(tmp_path / "second", history=history, gate=gate)
    path = second / "candidate/generation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "2" * 64}))
    decided = reporting.report_in(history, second).gate
    assert decided
    rulings = {ruling.rule.partition(":")[0]: ruling for ruling in decided.rulings}
    assert rulings["rouge-l@law vs accepted"].decision == "NO_GO"
    assert rulings["rouge-l@tax vs accepted"].decision == "GO"
    assert rulings["rouge-l@law vs accepted"].estimate == pytest.approx(-40)
    assert "48 pairs" in rulings["rouge-l@law vs accepted"].reason


def test_kfp_is_told_of_the_decision(run: Path) -> None:
    ruled(run, {"rouge-l@law": {"max_drop": 20}})
    decided = task.decided(run)
    assert decided["decision"] == "NO_GO"
    assert decided["rulings"][0]["metric"] == "rouge-l@law"
