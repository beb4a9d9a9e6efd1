"""Real weights served rightly and wrongly: what the weights then say of the answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.engine import likeness
from assay.llamafactory.prompts import Coder
from assay.records import Prediction, Served
from assay.report.parity import sum_up
from tests.end_to_end.ways_of_serving import WAYS, Way, answers, loaded, samples

ASKED, LIMIT = 8, 16
REPEATS = Served(endpoint="http://h/v1", repeated=5, repeated_same=5)
NAMES = (
    "rightly, in one batch",
    "in bfloat16",
    "rounded to 4 bits",
    "noise of 20% on the weights",
    "a system turn before it",
    "the prompt as plain text",
    "drawn at temperature 1",
    "a repetition penalty of 1.3",
)


@pytest.fixture(scope="module")
def weights(smollm2: Path) -> tuple[Any, Coder]:
    """The model as LLaMA-Factory loads it, and how its prompts are written."""
    return loaded(smollm2)


@pytest.fixture(scope="module")
def own(weights: tuple[Any, Coder]) -> list[Prediction]:
    """What the model answers, served rightly."""
    return answers(WAYS[NAMES[0]], *weights, samples(ASKED), LIMIT)


@pytest.mark.parametrize("way", [WAYS[name] for name in NAMES], ids=NAMES)
def test_what_is_served_wrongly_is_named(
    way: Way, weights: tuple[Any, Coder], own: list[Prediction]
) -> None:
    model, coding = weights
    rows = samples(ASKED)
    given = answers(way, way.change(model), coding, rows, LIMIT)
    read = [
        likeness.likeness(model, coding, row, answer)
        for row, answer in zip(rows, given, strict=True)
        if likeness.is_as_written(coding, answer)
    ]
    served = replace(REPEATS, repeated_same=0) if way.decoding.get("do_sample") else REPEATS
    parity = sum_up("candidate", served, list(zip(given, own, strict=True)), read)
    assert parity.cause in way.causes, parity
