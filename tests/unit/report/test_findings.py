import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.records import Comparison, Direction
from assay.report import Report, report
from assay.report.outcomes import outcome

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def edit_rows(path: Path, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(change(at, row)) + "\n" for at, row in enumerate(rows)))


def said(written: Report, severe: bool) -> str:
    return " | ".join(caution.text for caution in written.cautions if caution.severe == severe)


def compared(low: float, high: float, n: int = 50, direction: Direction = "higher") -> Comparison:
    return Comparison(
        name="m",
        n=n,
        difference=(low + high) / 2,
        low=low,
        high=high,
        better=0,
        equal=n,
        worse=0,
        detectable=1.0,
        direction=direction,
    )


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (compared(0.1, 2.0), "better"),
        (compared(-2.0, -0.1), "worse"),
        (compared(-0.1, 2.0), "none"),
        (compared(0.0, 2.0), "none"),
        (compared(0.0, 0.0), "none"),
        (compared(1.0, 2.0, n=9), "few"),
        (compared(-2.0, -0.1, direction="lower"), "better"),
        (compared(0.1, 2.0, direction="lower"), "worse"),
        (compared(0.1, 2.0, direction="neither"), "higher"),
        (compared(-2.0, -0.1, direction="neither"), "lower"),
        (compared(0.1, 2.0, direction="unknown"), "higher"),
        (compared(-2.0, -0.1, direction="unknown"), "lower"),
    ],
)
def test_a_difference_is_said_where_the_whole_interval_shows_it(
    comparison: Comparison, expected: str
) -> None:
    assert outcome(comparison, comparison.difference) == expected


def test_a_total_has_no_interval_to_say_anything_from() -> None:
    assert outcome(None, 1.0) == "no interval"
    assert outcome(None, None) == "not compared"


def test_the_verdict_speaks_of_one_metric_and_counts_the_others(run: Path) -> None:
    conclusion = report(run).conclusion
    assert (conclusion.tone, conclusion.primary) == ("better", "overall")
    assert conclusion.headline.startswith("Candidate better on overall: +4.95 (95% interval +2.")
    assert conclusion.detail.startswith(
        "Of 12 other metrics, 11 better and 0 worse after Holm's correction, no difference shown on"
    )
    assert "not a vote" in conclusion.detail
    for name in ("report.html", "report.md", "report.json"):
        assert conclusion.headline in (run / name).read_text()


def test_sides_swapped_the_verdict_is_worse(run: Path) -> None:
    (run / "baseline").rename(run / "other")
    (run / "candidate").rename(run / "baseline")
    (run / "other").rename(run / "candidate")
    shutil.rmtree(run / "model")
    conclusion = report(run).conclusion
    assert conclusion.tone == "worse"
    assert conclusion.headline.startswith("Candidate worse on overall: −4.95 (95% interval −")


def test_better_on_some_and_worse_on_others_is_mixed(run: Path) -> None:
    def unsafe(at: int, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"values": row["values"] | {"safety": 1 + at % 2}} if row["values"] else row

    edit_rows(run / "candidate/verdicts.jsonl", unsafe)
    conclusion = report(run).conclusion
    assert conclusion.tone == "mixed"
    assert conclusion.headline.startswith("Candidate better on overall: ")
    assert conclusion.detail.startswith("Of 12 other metrics, 11 better and 1 worse after Holm's")


def test_the_same_weights_void_the_comparison(run: Path) -> None:
    digest = json.loads((run / "candidate/generation.json").read_text())["digest"]
    edit_json(run / "baseline/generation.json", digest=digest)
    written = report(run)
    assert written.conclusion.tone == "invalid"
    assert f"have the same weights ({digest[:12]})" in said(written, severe=True)


def test_a_base_that_changed_between_the_sides_voids_the_comparison(run: Path) -> None:
    base = json.loads((run / "baseline/generation.json").read_text())
    edit_json(
        run / "candidate/generation.json", base_model=base["model"], base_digest=base["digest"]
    )
    assert "changed between the sides" not in said(report(run), severe=True)
    edit_json(run / "candidate/generation.json", base_digest="0" * 64)
    written = report(run)
    assert written.conclusion.tone == "invalid"
    assert "not those that the candidate's adapter was loaded on (000000000000)" in said(
        written, severe=True
    )


def test_the_same_outputs_void_the_comparison(run: Path) -> None:
    for name in ("predictions", "scores", "verdicts"):
        shutil.copy(run / f"candidate/{name}.jsonl", run / f"baseline/{name}.jsonl")
    written = report(run)
    assert written.identical_outputs == written.samples
    assert written.conclusion.tone == "invalid"
    assert "the same output on every sample" in said(written, severe=True)


def test_weights_that_were_not_trained_void_the_verdict(run: Path) -> None:
    base = json.loads((run / "baseline/generation.json").read_text())["digest"]
    edit_json(run / "candidate/generation.json", digest=base)
    written = report(run)
    assert written.conclusion.tone == "invalid"
    assert f"{base[:12]}) are not the ones that were trained" in said(written, severe=True)
    assert written.sides[1].proof == ""
    assert written.title == "Evaluation of house-log/model"


def test_other_datasets_void_the_comparison(run: Path) -> None:
    edit_json(run / "baseline/generation.json", dataset_hash="0" * 64)
    assert "answered different datasets" in said(report(run), severe=True)


def test_the_digests_prove_what_was_graded(run: Path) -> None:
    baseline, candidate = report(run).sides
    assert candidate.proof == "the weights that were trained"
    assert candidate.name == "SmolLM2-135M-Instruct + LoRA"
    assert baseline.proof == "the base that was tuned"


def test_without_a_digest_nothing_is_proven(run: Path) -> None:
    edit_json(run / "candidate/generation.json", digest="")
    written = report(run)
    assert written.sides[1].proof == ""
    assert "nothing proves which model was graded" in said(written, severe=False)


def test_cautions_name_what_weakens_the_numbers(run: Path) -> None:
    edit_json(run / "baseline/generation.json", template="default")
    edit_rows(
        run / "candidate/predictions.jsonl",
        lambda at, row: row | {"prompt_truncated": at < 2, "finish": "length"},
    )
    text = said(report(run), severe=False)
    assert "The templates differ: default (baseline), smollm2 (candidate)" in text
    assert "24 of 24 answers of the candidate were cut at max_new_tokens" in text
    assert "2 prompts of the candidate were truncated at cutoff_len" in text
    assert "no score for 1 of 24 baseline answers and 1 of 24 candidate answers" in text
    assert "Few samples: a true difference smaller than 3.7 in overall (22 pairs) or 30 in " in text
    assert "in bleu-4 (24 pairs) would probably not be seen (power 80%)." in text


@pytest.mark.parametrize(
    ("tokens", "served", "told"),
    [
        (16, True, "were cut before generate.max_new_tokens: its endpoint has a lower limit"),
        (64, True, "were cut at max_new_tokens."),
        (63, True, "were cut at max_new_tokens."),  # its end is not counted
        (0, True, "were cut at max_new_tokens."),  # nothing is
        (16, False, "were cut at max_new_tokens."),
    ],
)
def test_answers_that_an_endpoint_cuts_at_a_lower_limit_are_named(
    run: Path, tokens: int, served: bool, told: str
) -> None:
    how = {"served": {"endpoint": "http://h/v1"}} if served else {}
    edit_json(run / "candidate/generation.json", settings={"max_new_tokens": 64}, **how)
    edit_rows(
        run / "candidate/predictions.jsonl",
        lambda _, row: row | {"finish": "length", "output_tokens": tokens},
    )
    assert f"24 of 24 answers of the candidate {told}" in said(report(run), severe=False)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (lambda _: "", "All 24 answers of the candidate are empty"),
        (lambda _: "Sorry.", "All 24 answers of the candidate are the same"),
        (lambda at: "" if at < 3 else f"So {at}.", "3 of 24 answers of the candidate are empty"),
    ],
)
def test_answers_that_say_nothing_of_what_was_asked_are_named(
    run: Path, output: Callable[[int], str], told: str
) -> None:
    edit_rows(run / "candidate/predictions.jsonl", lambda at, row: row | {"output": output(at)})
    text = said(report(run), severe=False)
    assert told in text
    assert "answers of the baseline are" not in text


def test_a_judge_that_says_the_same_of_everything_is_named(run: Path) -> None:
    edit_rows(
        run / "candidate/verdicts.jsonl",
        lambda at, row: row | {"values": {"overall": 8 if at else 7}, "unscored": {}},
    )
    assert "The judge gives 8 to 96% of the answers of the candidate" in said(report(run), False)


def test_diagnostics_do_not_count_in_the_verdict(run: Path) -> None:
    written = report(run)
    counted = [row for row in written.summary if row.comparison and row.kind != "diagnostic"]
    left_out = [row.name for row in written.summary if row.kind == "diagnostic"]
    assert len(counted) == 13
    assert left_out == [
        "length-ratio",
        "empty",
        "truncated",
        "distinct-1",
        "distinct-2",
        "language-mismatch",
    ]


def test_too_few_samples_are_no_verdict(run: Path) -> None:
    lines = (run / "dataset.jsonl").read_text().splitlines(keepends=True)[:5]
    (run / "dataset.jsonl").write_text("".join(lines))
    for side in ("baseline", "candidate"):
        for name in ("predictions", "scores", "verdicts"):
            path = run / side / f"{name}.jsonl"
            path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    conclusion = report(run).conclusion
    assert (conclusion.tone, conclusion.headline) == ("none", "Too few samples to compare overall")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("org/SmolLM2-135M-Instruct", "is the graded model or its base, and favours answers like"),
        ("org/SmolLM2-135M-Instruct", "; it has 135M parameters by its name: models this small"),
        ("qwen2.5-1.5b", "The judge, qwen2.5-1.5b, has 1.5B parameters by its name"),
        ("Qwen3-32B", ""),
        ("gpt-5-mini", ""),
        ("SmolLM3-11B", "is of the graded model's family, SmolLM, and may favour answers like it"),
    ],
)
def test_a_judge_that_is_doubtful_is_named(run: Path, model: str, expected: str) -> None:
    for side in ("baseline", "candidate"):
        edit_json(run / side / "judge.json", model=model)
    written = report(run)
    assert written.judge == model
    text = said(written, severe=False)
    assert expected in text if expected else model not in text
