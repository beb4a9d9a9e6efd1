"""The judge is shown the answers of earlier turns, without what was thought before them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay import llamafactory, store
from assay.errors import SettingsError
from assay.generate import GenerateSettings, check
from assay.judge import conversation
from assay.records import Message, Prediction, Sample
from assay.served.client import check_settings
from assay.served.settings import ServedModel

RUN = Path("tests/data/run")
GPT_OSS = (
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Blue."
)


def shown(folder: Path, turn: str, template: str = "qwen3", **changes: Any) -> tuple[str, ...]:
    """Return the messages that the judge is shown of a sample with such an earlier turn."""
    turns = (
        Message(role="user", content="<think>mine</think> A colour?"),
        Message(role="assistant", content=turn),
        Message(role="user", content="Another?"),
    )
    store.write_rows(folder / "dataset.jsonl", [Sample(id="1", messages=turns, target="Red.")])
    answer = Prediction(id="1", output="Red.", finish="stop", prompt_tokens=1, output_tokens=1)
    store.write_rows(folder / "predictions.jsonl", [answer])
    shutil.copy(RUN / "candidate" / "generation.json", folder)
    path = folder / "generation.json"
    held = json.loads(path.read_text())
    held["settings"] |= changes.pop("settings", {})
    path.write_text(json.dumps(held | {"template": template} | changes))
    ((sample, prediction),) = conversation.read(
        folder / "dataset.jsonl", folder / "predictions.jsonl"
    )
    assert prediction == answer
    return tuple(message.content for message in sample.messages)


@pytest.mark.parametrize(
    ("template", "turn", "settings", "wanted"),
    [
        ("qwen3", "<think>hm</think>\n\nBlue.", {}, "Blue."),
        ("qwen3", "hm</think>\n\nBlue.", {}, "Blue."),
        ("qwen3", "Blue.", {}, "Blue."),
        ("qwen3", "<think>hm", {}, "<think>hm"),
        ("qwen3", "<think></think>\nBlue.", {}, "<think></think>\nBlue."),
        ("gpt_oss", GPT_OSS, {}, "Blue."),
        ("qwen3", GPT_OSS, {}, GPT_OSS),
        ("qwen3_nothink", "<think>hm</think>\n\nBlue.", {}, "<think>hm</think>\n\nBlue."),
        ("qwen3", "<think>hm</think>B", {"score_thoughts": True}, "<think>hm</think>B"),
        ("smollm2", "[a]hm[/a]\nBlue.", {"thought_marks": ["[a]", "[/a]"]}, "Blue."),
    ],
)
def test_an_earlier_turn_is_its_answer(
    template: str, turn: str, settings: dict[str, Any], wanted: str, tmp_path: Path
) -> None:
    assert shown(tmp_path, turn, template, settings=settings) == (
        "<think>mine</think> A colour?",
        wanted,
        "Another?",
    )


def test_without_a_word_of_how_the_answers_came_it_stands(tmp_path: Path) -> None:
    shown(tmp_path, "<think>hm</think>Blue.")
    (tmp_path / "generation.json").unlink()
    ((sample, _),) = conversation.read(tmp_path / "dataset.jsonl", tmp_path / "predictions.jsonl")
    assert sample.messages[1].content == "<think>hm</think>Blue."


def test_the_marks_are_the_users_or_the_templates() -> None:
    assert llamafactory.marks("qwen3") == ("<think>", "</think>")
    assert llamafactory.marks("smollm2") is None
    assert llamafactory.marks("smollm2", ("[a]", "[/a]")) == ("[a]", "[/a]")
    assert llamafactory.marks("seed_oss") == ("<seed:think>", "</seed:think>")


@pytest.mark.parametrize("marks", [["a"], ["a", "a"], ["a", "b", "c"], ["a", " "]])
def test_what_are_no_two_marks_is_refused(marks: list[str]) -> None:
    with pytest.raises(SettingsError, match="are not two different marks"):
        check(GenerateSettings(thought_marks=marks))


def test_an_endpoint_has_no_marks_of_weights() -> None:
    served = ServedModel(endpoint="http://llm/v1", name="m")
    with pytest.raises(SettingsError, match=r"generate\.thought_marks are of what weights write"):
        check_settings(served, GenerateSettings(thought_marks=["[a]", "[/a]"]), "model")
