"""Which of an endpoint's answers weights can read: those that are of as many tokens to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.engine.likeness import is_as_written
from assay.records import Prediction


class Words:
    """A tokenizer of a token for each word."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return [len(word) for word in text.split()]


@pytest.mark.parametrize(
    ("output", "finish", "counted", "as_written"),
    [
        ("one two three", "length", 3, True),
        ("one two three", "stop", 3, True),
        ("one two three", "stop", 4, True),  # its end was counted
        ("one two three", "length", 4, False),
        ("one two three", "length", 2, False),
        ("one two three", "stop", 2, False),
        ("one two three", "stop", 5, False),
        ("one two three", "length", 0, True),  # nothing was counted
        ("", "stop", 1, True),
    ],
)
def test_an_answer_of_other_tokens_is_not_read(
    output: str, finish: Any, counted: int, as_written: bool
) -> None:
    answer = Prediction(
        id="a", output=output, finish=finish, prompt_tokens=9, output_tokens=counted
    )
    coder: Any = SimpleNamespace(reading=SimpleNamespace(tokenizer=Words()))
    assert is_as_written(coder, answer) == as_written
