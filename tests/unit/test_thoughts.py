"""Thoughts in the marks of every model: in files of answers, of endpoints, of the judge."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.given.thought import Thoughts
from assay.judge import rubric as rubrics
from assay.judge.contract import ReplyError, parse
from assay.served import chat
from assay.thoughts import END, KNOWN, apart, begins
from tests.faults.endpoint import scores

CHANNEL = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
WORDS = st.text("ab <>/|[]{}\n", max_size=12)


@pytest.mark.parametrize("capital", [str, str.upper, str.lower])
@pytest.mark.parametrize(("opening", "closing"), KNOWN)
def test_a_thought_is_apart_from_its_answer(opening: str, closing: str, capital: object) -> None:
    opening, closing = (capital(mark) for mark in (opening, closing))  # type: ignore[operator]
    for read in (Thoughts().apart, lambda text: (*chat.apart(text), False)):
        assert read(f"{opening}Hm.{closing}Blue.") == ("Hm.", "Blue.", False)
        assert read(f"\n {opening}\nHm.\n{closing}\n\nBlue.") == ("Hm.", "Blue.", False)
        assert read(f"{opening}{closing}Blue.") == ("", "Blue.", False)
        assert read(f"{opening}Hm.{closing}") == ("Hm.", "", False)
        twice = f"{opening}Hm.{closing}\n{opening}So.{closing}\nBlue."
        assert read(twice) == ("Hm.\nSo.", "Blue.", False)
        inside = f"It is {opening}Hm.{closing} blue."
        if (opening, closing) != KNOWN[0] or read == Thoughts().apart:
            assert read(inside) == ("", inside, False)
    assert Thoughts().apart(f"{opening}Hm.") == ("Hm.", "", True)
    assert Thoughts().apart(f"{opening}Hm.{closing}{opening}So") == ("Hm.\nSo", "", True)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (f"{CHANNEL}Blue.<|return|>", "Hm.", "Blue."),
        (f"<|start|>assistant{CHANNEL}Blue.<|end|>", "Hm.", "Blue."),
        (
            "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Blue.<|END_RESPONSE|>",
            "Hm.",
            "Blue.",
        ),
        (
            "<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>Blue.<|end_of_solution|>",
            "Hm.",
            "Blue.",
        ),
        ("[THINK]Hm.[/THINK]<think>So.</think>Blue.", "Hm.\nSo.", "Blue."),
    ],
)
def test_what_models_write_around_the_answer_is_no_part_of_it(
    text: str, thought: str, answer: str
) -> None:
    assert Thoughts().apart(text) == (thought, answer, False)


def test_marks_that_are_named_are_the_only_ones() -> None:
    named = Thoughts(opening="[a]", closing="[/a]", named=True)
    assert named.apart("[THINK]Hm.[/THINK]Blue.") == ("", "[THINK]Hm.[/THINK]Blue.", False)
    assert named.apart("[a]Hm.[/a]Blue.") == ("Hm.", "Blue.", False)


@pytest.mark.parametrize(
    "text",
    ["<reasoning>Hm.</reasoning>Blue.", "<analysis>Hm.</analysis>", "Blue.", "", "<thinker>"],
)
def test_what_may_be_an_answers_own_form_is_its_own(text: str) -> None:
    assert apart(text) is None
    assert Thoughts().apart(text) == ("", text, False)


@given(st.lists(st.sampled_from([mark for pair in KNOWN for mark in pair]) | WORDS, max_size=8))
def test_nothing_is_lost_or_made_up(parts: list[str]) -> None:
    text = "".join(parts)
    found = apart(text)
    assert (found is not None) == begins(text)
    if found:
        assert not (found.unended and found.answer)
        assert text.replace("\r", "").endswith(found.answer) or "<|" in text
        for line in found.thought.splitlines():
            assert line.strip() in text


@pytest.mark.parametrize(("opening", "closing"), KNOWN)
def test_a_judge_may_think_more_than_once(opening: str, closing: str) -> None:
    rubric, verdict = rubrics.load("default-en"), scores(8)
    for thoughts in (
        f"{opening}Hm.{closing}",
        f"{opening}{closing}\n{opening}Hm.{closing}\n",
        f"Hm.{closing}",
    ):
        assert parse(rubric, f"{thoughts}{verdict}").scores["overall"] == 8
    quoting = verdict.replace("Right", f"It has {opening} and {closing}, right")
    assert parse(rubric, f"{opening}Hm.{closing}{quoting}").scores["overall"] == 8
    assert re.search(END, f"Blue. {closing}")
    with pytest.raises(ReplyError):
        parse(rubric, f"{opening}Hm. {verdict}")
