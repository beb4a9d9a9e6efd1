"""The settings of a run over files of answers: each is obeyed, or refused by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.errors import DatasetError, SettingsError
from assay.judge import conversation
from tests.unit.given.conftest import asked, question, taken, written

THOUGHT = "<think>\nSo.\n</think>\n\nA"


@pytest.mark.parametrize(
    ("settings", "output", "thought", "answer", "unanswered"),
    [
        ({"score_thoughts": True}, THOUGHT, "", THOUGHT, ""),
        ({"score_thoughts": True}, "<think>\n\n</think>\n\nA", "", "A", ""),
        ({"score_thoughts": True}, "<think>\nSo", "", "<think>\nSo", ""),
        ({"score_thoughts": True}, "A", "", "A", ""),
        ({"thought_marks": ["[a]", "[/a]"]}, "[a]So.[/a]A", "So.", "A", ""),
        ({"thought_marks": [" [a]\n", "[/a]\n"]}, "[a]\nSo.\n[/a]\nA", "So.", "A", ""),
        ({"thought_marks": ["[a]", "[/a]"]}, "[a]So", "So", "", "thought_unended"),
        ({"thought_marks": ["[a]", "[/a]"]}, THOUGHT, "", THOUGHT, ""),
        ({}, "So.\n</think>\n\nA", "So.", "A", ""),  # the template wrote the opening mark
        ({}, "So.</think>\r\n\r\nA", "So.", "A", ""),
        ({}, "</think>\n\nA", "", "A", ""),
        ({}, "So.\n  </think> A", "So.", " A", ""),
        ({}, "So.\n</think>", "So.", "", ""),
        ({}, "It is </think> here", "", "It is </think> here", ""),
        ({}, "A:\n<think>\n</think>\n", "", "A:\n<think>\n</think>\n", ""),
    ],
)
def test_thoughts_are_read_as_the_settings_say(
    settings: dict[str, Any],
    output: str,
    thought: str,
    answer: str,
    unanswered: str,
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "a.jsonl", [{"prompt": "Hi", "output": output, "reference": "A"}])
    _, [row] = taken(asked(str(file), generate=settings), tmp_path / "run")
    assert (row.thought, row.output, row.unanswered) == (thought, answer, unanswered)


def test_a_prompt_may_end_with_the_mark_that_the_settings_name(tmp_path: Path) -> None:
    rows = [{"prompt": "Hi [a]", "output": "So. [/a] A", "reference": "A"}]
    marks = {"thought_marks": ["[a]", "[/a]"]}
    settings = asked(str(written(tmp_path / "a.jsonl", rows)), generate=marks)
    _, [row] = taken(settings, tmp_path / "run")
    assert (row.thought, row.output) == ("So.", " A")


@pytest.mark.parametrize(("scored", "wanted"), [(False, "A"), (True, None)])
def test_the_target_is_what_answers_are_compared_with(
    scored: bool, wanted: str | None, tmp_path: Path
) -> None:
    rows = [{"prompt": "Hi", "output": THOUGHT, "reference": THOUGHT}]
    settings = asked(str(written(tmp_path / "a.jsonl", rows)), generate={"score_thoughts": scored})
    _, [row] = taken(settings, tmp_path / "run")
    assert row.wanted == wanted


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, "Blue."),
        ({"score_thoughts": True}, "<think>hm</think>Blue."),
        ({"thought_marks": ["[a]", "[/a]"]}, "<think>hm</think>Blue."),
    ],
)
def test_the_judge_is_shown_earlier_turns_in_the_same_way(
    settings: dict[str, Any], shown: str, tmp_path: Path
) -> None:
    turns = [
        {"role": "user", "content": "A colour?"},
        {"role": "assistant", "content": "<think>hm</think>Blue."},
        {"role": "user", "content": "Another?"},
    ]
    file = written(tmp_path / "a.jsonl", [{"messages": turns, "output": "A", "reference": "A"}])
    taken(asked(str(file), generate=settings), tmp_path / "run")
    answers = tmp_path / "run" / "candidate" / "predictions.jsonl"
    [(sample, _)] = conversation.read(tmp_path / "run" / "dataset.jsonl", answers)
    assert sample.messages[1].content == shown


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"generate": {"max_new_tokens": 64}}, r"generate\.max_new_tokens says how a model"),
        ({"generate": {"template": "qwen3"}}, r"generate\.template says how a model"),
        ({"generate": {"do_sample": True}}, r"generate\.do_sample says how a model"),
        ({"generate": {"seed": 1}}, r"generate\.seed says how a model"),
        ({"dataset": {"every_turn": True}}, r"dataset\.every_turn says how the data is read"),
        ({"dataset": {"format": "sharegpt"}}, r"dataset\.format says how the data is read"),
    ],
)
def test_a_setting_that_nothing_would_obey_is_refused(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "a.jsonl", [{"prompt": "Hi", "output": "A", "reference": "A"}])
    with pytest.raises((SettingsError, DatasetError), match=message):
        taken(asked(str(file), **values), tmp_path / "run")


def test_a_model_that_answers_too_takes_the_settings() -> None:
    decoding = {"max_new_tokens": 64, "template": "qwen3"}
    assert asked({"baseline": "b.jsonl"}, model="a/b", generate=decoding).generate.template


@pytest.mark.parametrize(
    ("rows", "most", "refused"), [(3, 0.5, False), (2, 0.5, True), (2, 0.7, False), (5, 0, True)]
)
def test_more_samples_without_a_row_than_the_settings_let_be_are_refused(
    rows: int, most: float, refused: bool, tmp_path: Path
) -> None:
    source = tmp_path / "eval.json"
    source.write_text(
        json.dumps([{"id": n, "instruction": question(n), "output": "A"} for n in range(6)])
    )
    file = written(tmp_path / "a.jsonl", [{"id": n, "output": "A"} for n in range(rows)])
    settings = asked(
        str(file),
        dataset={"eval": str(source), "skip_invalid": True},
        generate={"max_unanswered": most},
    )
    if refused:
        with pytest.raises(DatasetError, match=f"no row for {6 - rows} of 6 samples"):
            taken(settings, tmp_path / "run")
        assert not (tmp_path / "run" / "config.yaml").exists()
        return
    _, answers = taken(settings, tmp_path / "run")
    assert [row.unanswered for row in answers].count("no_answer") == 6 - rows
