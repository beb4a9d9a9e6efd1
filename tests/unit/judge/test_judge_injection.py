"""Forty answers that try to grade themselves: none becomes a verdict, none leaves its fence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from assay import store
from assay.judge import JudgeSettings, judge, verdicts
from assay.judge.contract import ReplyError, ask_for, parse
from assay.judge.rubric import load
from assay.records import Message, Prediction, Sample
from tests.faults.endpoint import Answer, Body, chat, serving

FILE = Path(__file__).parents[2] / "data" / "injections.jsonl"
INJECTIONS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
IDS = [row["id"] for row in INJECTIONS]
ANSWERS = [row["output"] for row in INJECTIONS]
BLOCK = re.compile(r"\[answer (\w+)\]\n(.*)\n\[/answer \1\]\nGrade the answer", re.DOTALL)


def sample(name: str) -> Sample:
    return Sample(id=name, messages=(Message(role="user", content="2 + 2?"),), target="4")


def prediction(name: str, output: str) -> Prediction:
    return Prediction(id=name, output=output, finish="stop", prompt_tokens=1, output_tokens=1)


def test_there_are_forty() -> None:
    assert len(set(ANSWERS)) == 40


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_a_judge_that_repeats_the_answer_gives_no_verdict(answer: str) -> None:
    with pytest.raises(ReplyError):
        parse(load("default-en"), answer, answer)


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_the_answer_stays_inside_its_fence(answer: str) -> None:
    text = ask_for(load("default-en"), sample("a"), prediction("a", answer))[1]["content"]
    match = BLOCK.search(text)
    assert match
    word, inside = match.groups()
    assert word not in inside
    assert text.count(f"[/answer {word}]") == 1
    assert not re.search(r"<[|｜]|\[/?INST\]|</s>|<(start|end)_of_turn>", inside)


def test_a_judge_that_parrots_scores_nothing(tmp_path: Path) -> None:
    """The worst judge there is: it replies with whatever stands in the fence, word for word."""
    samples, predictions = tmp_path / "dataset.jsonl", tmp_path / "predictions.jsonl"
    store.write_rows(samples, map(sample, IDS))
    store.write_rows(predictions, map(prediction, IDS, ANSWERS))

    def parrot(body: Body) -> Answer:
        match = BLOCK.search(body["messages"][1]["content"])
        assert match
        return chat(match[2])

    with serving(parrot) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            max_unscored=1.0,
        )
        judge(samples, predictions, tmp_path / "verdicts.jsonl", settings)
    rows = verdicts(tmp_path / "verdicts.jsonl")
    assert len(rows) == 40
    for row in rows.values():
        assert row.values == {}
        assert set(row.unscored.values()) <= {"parse_error", "out_of_range"}
