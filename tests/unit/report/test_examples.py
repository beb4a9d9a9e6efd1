import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.records import Generation, Message, Prediction, Sample, Score
from assay.report import examples, report
from assay.report.run import read


def write_run(run: Path, n: int, text: str = "answer") -> Path:
    ids = [f"s{at}" for at in range(n)]
    turn = (Message(role="user", content="ask"),)
    store.write_rows(
        run / "dataset.jsonl", (Sample(id=id_, messages=turn, target="t") for id_ in ids)
    )
    for side, gain in (("baseline", 0.0), ("candidate", 1.0)):
        store.write_rows(run / side / "predictions.jsonl", predictions(ids, f"{side} {text}"))
        # the candidate loses where the number ends in 7, most at the end
        scores = (
            Score(id=id_, values={"bleu-4": 50 + gain * (-at / n if at % 10 == 7 else 1)})
            for at, id_ in enumerate(ids)
        )
        store.write_rows(run / side / "scores.jsonl", scores)
        store.write_json(run / side / "generation.json", generation(side, n))
    return run


def predictions(ids: list[str], text: str) -> Iterator[Prediction]:
    for id_ in ids:
        yield Prediction(id=id_, output=text, finish="stop", prompt_tokens=1, output_tokens=1)


def generation(side: str, n: int) -> Generation:
    fixed: dict[str, Any] = {"template": "t", "dataset_hash": "d", "seconds": 1.0}
    return Generation(
        model=side,
        base_model="b",
        digest=side,
        samples=n,
        settings={},
        results={},
        versions={},
        **fixed,
    )


def test_a_run_of_any_size_makes_a_page_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_EXAMPLES", 30)
    written = report(write_run(tmp_path, 200))
    assert written.samples == 200
    assert len(written.examples) == 30
    assert written.selection.startswith("30 of 200 samples are in this report")
    shown = {example.id for example in written.examples}
    worst = [f"s{at}" for at in range(197, 97, -10)]
    assert list(written.regressions) == worst
    assert set(worst) <= shown
    assert sum(1 for row in written.summary if row.comparison and row.comparison.n == 200) == 1
    assert "30 of 200 samples" in (tmp_path / "report.html").read_text()
    assert "30 of 200 samples" in (tmp_path / "report.md").read_text()


def test_long_texts_are_bounded_one_by_one_and_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_CHARACTERS", 100_000)
    written = report(write_run(tmp_path, 50, text="long " * 10_000))
    assert 0 < len(written.examples) < 5
    output = written.examples[0].candidate
    assert output is not None
    assert "50,010 characters in all" in output.output
    assert len(output.output) < examples.MAX_TEXT + 100


def test_one_sample_is_shown_however_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MAX_CHARACTERS", 10)
    assert len(report(write_run(tmp_path, 20)).examples) == 1


def test_the_same_run_shows_the_same_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_EXAMPLES", 20)
    first = report(write_run(tmp_path, 100)).examples
    assert report(tmp_path).examples == first


def test_without_a_baseline_the_lowest_scores_come_first(tmp_path: Path) -> None:
    write_run(tmp_path, 20)
    for path in (tmp_path / "baseline").iterdir():
        path.unlink()
    (tmp_path / "baseline").rmdir()
    run = read(tmp_path)
    assert examples.worst_first(run, "bleu-4")[:2].tolist() == [17, 7]


def test_a_sample_without_a_score_is_no_regression(tmp_path: Path) -> None:
    write_run(tmp_path, 20)
    path = tmp_path / "candidate/scores.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[17] |= {"values": {}, "unscored": {"bleu-4": "no_target"}}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = report(tmp_path)
    assert written.regressions == ("s7",)
    assert written.examples[17].change is None


def test_a_thought_stands_apart_and_the_target_is_what_was_compared(tmp_path: Path) -> None:
    write_run(tmp_path, 20)
    path = tmp_path / "candidate/predictions.jsonl"
    rows = list(store.read_rows(path, Prediction))
    long = "Hm. " * 10_000
    store.write_rows(
        path, [replace(row, thought=long, wanted="the answer", wanted_thought=long) for row in rows]
    )
    example = report(tmp_path).examples[3]
    assert example.candidate is not None
    assert example.baseline is not None
    assert example.target == "the answer"
    assert example.target_thought == example.candidate.thought
    assert example.candidate.output == "candidate answer"
    assert example.candidate.thought.startswith("Hm. Hm.")
    assert len(example.candidate.thought) < examples.MAX_TEXT + 100
    assert example.baseline.thought == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<think>\nHm.\n</think>\n\nOn.", True),
        ("Hm.</think>On.", True),
        ("<seed:think>Hm.</seed:think>On.", True),
        ("◁think▷Hm.◁/think▷On.", True),
        ("[THINK]Hm.[/THINK]On.", True),
        ("I think so.", False),
        ("Say <think> first.", False),
    ],
)
def test_a_thought_that_is_scored_with_its_answer_is_a_caution(
    tmp_path: Path, text: str, told: bool
) -> None:
    """As it is under a template that knows no thoughts."""
    write_run(tmp_path, 20)
    path = tmp_path / "candidate/predictions.jsonl"
    rows = list(store.read_rows(path, Prediction))
    store.write_rows(path, [replace(row, output=text) for row in rows])
    texts = [caution.text for caution in report(tmp_path).cautions]
    said = [each for each in texts if "20 of 20 answers of the candidate have a thought" in each]
    assert len(said) == told
    assert not any("answers of the baseline have a thought" in each for each in texts)


def test_long_thoughts_are_bounded_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_CHARACTERS", 100_000)
    write_run(tmp_path, 50)
    path = tmp_path / "candidate/predictions.jsonl"
    rows = list(store.read_rows(path, Prediction))
    store.write_rows(path, [replace(row, thought="long " * 10_000) for row in rows])
    assert 0 < len(report(tmp_path).examples) < 6
