"""The stand-in answers in the shape in which a real KFP 2.17.0 answered the same questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kfp import answers
from tests.kfp.served import serve

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "kfp" / "answers.json").read_text()
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    with serve() as server:
        return answers.collect(server.url)


@pytest.mark.parametrize("question", RECORDED)
def test_the_answer_has_the_shape_of_a_real_one(found: dict[str, Any], question: str) -> None:
    assert found[question] == RECORDED[question]


def test_the_same_was_asked(found: dict[str, Any]) -> None:
    assert set(found) == set(RECORDED)
