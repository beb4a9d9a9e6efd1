"""Where a thought ends and how many tokens it has, whatever a template's words around it are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.llamafactory import thought

THINK = ("<think>", "</think>")
MARKS = {
    "qwen3": THINK,
    "seed_oss": ("<seed:think>", "</seed:think>"),
    "kimi": ("◁think▷", "◁/think▷"),
    "gpt_oss": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "gemma4": ("<|channel>thought", "<channel|>"),
    "mistral": ("[THINK]", "[/THINK]"),
}
WORDS = st.text("abc .\n", max_size=20)


def decode(ids: Sequence[int]) -> str:
    """Return a text of which each character is a token."""
    return "".join(map(chr, ids))


def ids(text: str) -> list[int]:
    return list(map(ord, text))


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
@given(inner=WORDS, answer=WORDS, opening=st.booleans())
def test_a_thought_is_apart_and_counted(
    marks: tuple[str, str], inner: str, answer: str, opening: bool
) -> None:
    begin, end = marks
    lead = f"{begin * opening}\n{inner}\n{end}"
    text = f"{lead}\n\n{answer}"
    assert thought.split(text, marks) == (inner.strip(), answer.lstrip("\n"), False)
    assert thought.tokens(ids(text), marks, decode) == (len(lead) if inner.strip() else 0)


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
@given(inner=WORDS)
def test_an_unended_thought_is_all_of_the_answer(marks: tuple[str, str], inner: str) -> None:
    text = f"{marks[0]}\n{inner}"
    assert thought.split(text, marks) == (inner.strip(), "", True)
    assert thought.tokens(ids(text), marks, decode) == (len(text) if inner.strip() else 0)


@pytest.mark.parametrize(
    ("target", "opened"),
    [
        ("Hm.\n</think>\n\nOn.", True),  # as a chat template leaves it that opens the thought
        ("<think>\nHm.\n</think>\n\nOn.", False),
        ("\n</think>\n\nOn.", False),  # how some write that there is none
        ("</think>On.", False),
        ("<think>\n\n</think>\n\nOn.", False),
        ("On.", False),
        ("", False),
    ],
)
def test_a_target_may_begin_within_a_thought(target: str, opened: bool) -> None:
    assert thought.is_opened(target, THINK) == opened
    assert not thought.is_opened(target, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hm, the left", ("Hm, the left", "", True)),
        ("Hm.</think>On.", ("Hm.", "On.", False)),
        ("<think>Hm.</think>On.", ("Hm.", "On.", False)),
        ("<think>Hm", ("Hm", "", True)),
        ("", ("", "", True)),
    ],
)
def test_an_opened_answer_is_a_thought_until_it_is_closed(
    text: str, expected: tuple[str, str, bool]
) -> None:
    assert thought.split(text, THINK, opened=True) == expected


def test_without_marks_there_is_no_thought() -> None:
    text = "<think>Hm.</think>On."
    assert thought.split(text, None, opened=True) == ("", text, False)
    assert thought.tokens(ids(text), None, decode) == 0
