"""What was measured of a target, as the record that is kept."""

from __future__ import annotations

import math

import pytest

from assay.errors import StageError
from assay.llamafactory.loss import Measured, likelihood, token_loss
from assay.records import Likelihood, Message, Sample

SAMPLE = Sample(id="s", messages=(Message(role="user", content="Hi."),), target="On.")
BLANK = Sample(id="s", messages=SAMPLE.messages, target=" \n")


def measured(*labels: int, loss: float = 2.0, accuracy: float = 0.5) -> Measured:
    return Measured(labels=list(labels), loss=loss, accuracy=accuracy)


def test_a_whole_target_has_its_numbers() -> None:
    row = likelihood(SAMPLE, [4, 5, 6], measured(4, 5, 6))
    assert row == Likelihood(id="s", values={"eval_loss": 2.0, "accuracy": 0.5}, tokens=3)


@pytest.mark.parametrize(
    ("sample", "found", "causes"),
    [
        (SAMPLE, measured(4, 5), ("target_cut", "target_cut")),
        (SAMPLE, measured(4, 5, 6, loss=math.nan, accuracy=math.nan), ("not_finite", "not_finite")),
        (SAMPLE, measured(4, 5, 6, loss=math.inf), ("not_finite", None)),
        (SAMPLE, measured(loss=math.nan, accuracy=math.nan), ("no_target", "no_target")),
        (BLANK, measured(4, 5, 6), ("no_target", "no_target")),
    ],
)
def test_no_number_stands_for_what_was_not_had(
    sample: Sample, found: Measured, causes: tuple[str | None, str | None]
) -> None:
    row = likelihood(sample, [4, 5, 6], found)
    for name, cause in zip(("eval_loss", "accuracy"), causes, strict=True):
        assert row.unscored.get(name) == cause
        assert (name in row.values) == (cause is None)


@pytest.mark.parametrize("labels", [(4, 5, 7), (4, 5, 6, 7), (3, 4, 5, 6)])
def test_what_is_not_the_target_is_never_scored(labels: tuple[int, ...]) -> None:
    with pytest.raises(StageError, match=r"id=s: LLaMA-Factory evaluated something else"):
        likelihood(SAMPLE, [4, 5, 6], measured(*labels))


def test_the_loss_of_all_tokens_is_of_those_that_were_scored() -> None:
    rows = [
        Likelihood(id="a", values={"eval_loss": 1.0}, tokens=3),
        Likelihood(id="b", values={"eval_loss": 5.0}, tokens=1),
        Likelihood(id="c", values={}, unscored={"eval_loss": "target_cut"}, tokens=9),
    ]
    assert token_loss(rows) == 2
    assert token_loss(rows[2:]) is None
