"""Answers that begin with what was asked are named, and those that only seem to are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assay import store
from assay.records import Message, Prediction, Sample
from assay.report import report
from assay.report.echoes import echoes

DATA = Path(__file__).parents[2] / "data" / "run"
QUESTION = "Which of the lamps is on?"


@pytest.mark.parametrize(
    ("output", "target", "found"),
    [
        (f"{QUESTION} The red one.", "The red one.", True),
        (f"{QUESTION}", "The red one.", True),
        ("Which of  the\nlamps is on?\nThe red one.", "The red one.", True),
        (f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\nRed.", "Red.", True),
        (f"### Human: {QUESTION}\n### Assistant: Red.", "Red.", True),
        ("The red one.", "The red one.", False),
        ("", "The red one.", False),
        ("Which of the lamps do you mean?", "The red one.", False),
        (f"{'The red one. ' * 20}{QUESTION}", "The red one.", False),  # far behind
        (f"{QUESTION} The red one.", f"You ask: {QUESTION} The red one.", None),
    ],
)
def test_an_echo_begins_with_the_question(output: str, target: str, found: bool | None) -> None:
    turn = Message(role="user", content=QUESTION)
    assert echoes(Sample(id="a", messages=(turn,), target=target), said(output)) is found


def test_the_turns_before_it_may_be_echoed_too() -> None:
    turns = ("Be brief. " * 90, "Hello?", "Hello.", QUESTION)
    roles = ("system", "user", "assistant", "user")
    messages = tuple(
        Message(role=role, content=text)  # type: ignore[arg-type]
        for role, text in zip(roles, turns, strict=True)
    )
    sample = Sample(id="a", messages=messages, target="Red.")
    assert echoes(sample, said("\n".join([*turns, "Red."])))


def test_a_short_question_says_nothing() -> None:
    turn = Message(role="user", content="2+2?")
    assert echoes(Sample(id="a", messages=(turn,), target="4"), said("2+2? It is 4.")) is None


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder of 24 samples."""
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def said(output: str) -> Prediction:
    return Prediction(id="a", output=output, finish="stop", prompt_tokens=9, output_tokens=9)


@pytest.mark.parametrize(
    ("echoed", "told"),
    [
        (lambda _: True, "23 of 23 answers of the candidate begin with what was asked"),
        (lambda at: at > 1, "21 of 23 answers of the candidate begin with what was asked"),
        (lambda at: at > 4, ""),
        (lambda _: False, ""),
    ],
)
@pytest.mark.parametrize(
    ("came", "look"),
    [
        ({"served": {"endpoint": "http://h/v1"}}, "look whether its server repeats the prompt"),
        (
            {"given": {"file": "f", "sha256": "0", "format": "f", "rows": 1, "matched": "id"}},
            "look whether its file has the prompts in the answers",
        ),
        ({}, "the model repeats it by itself"),
    ],
)
def test_all_or_nearly_all_of_a_side_are_named(
    run: Path, came: dict[str, object], look: str, echoed: Callable[[int], bool], told: str
) -> None:
    asked = {
        row.id: row.messages[-1].content for row in store.read_rows(run / "dataset.jsonl", Sample)
    }
    path = run / "candidate" / "predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for at, row in enumerate(rows):
        row["output"] = f"{asked[row['id']]}\n{row['output']}" if echoed(at) else f"So {at}."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    generation = run / "candidate" / "generation.json"
    generation.write_text(json.dumps(json.loads(generation.read_text()) | came))
    text = "\n".join(caution.text for caution in report(run).cautions)
    if told:
        assert f"{told}, which is scored with them: {look}" in text
    else:
        assert "begin with what was asked" not in text
    assert "answers of the baseline begin" not in text
    assert [row["output"] for row in rows] == [
        row.output for row in store.read_rows(path, Prediction)
    ]
