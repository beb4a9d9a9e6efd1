"""What two sides' answers, the tokens of their prompts and the weights' reading come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay import store
from assay.folder import PARITY, PREDICTIONS
from assay.records import Likeness, Prediction, Served
from assay.report import parity
from assay.report.parity import sum_up
from assay.report.sections.parity import said

N = 20


def answer(id_: str, output: str, prompt_tokens: int = 30) -> Prediction:
    return Prediction(
        id=id_, output=output, finish="stop", prompt_tokens=prompt_tokens, output_tokens=5
    )


def pairs(same: int, more: int = 0, counted: bool = True) -> list[tuple[Prediction, Prediction]]:
    """Return what the endpoint and the weights answered: `same` of N alike but for a blank, to
    prompts of which the endpoint counts `more` tokens."""
    count = 30 + more if counted else 0
    rows = []
    for number in range(N):
        text = f"text {number}" if number < same else "else"
        own = answer(str(number), f"text {number}")
        rows.append((answer(str(number), f" {text}\n", count), own))
    return rows


def read(regret: float, surprise: float, ending: float = 0.0, **penalised: float) -> list[Likeness]:
    """Return how the weights read the answers: so many nats a token, spread a little."""
    return [
        Likeness(
            id=str(number),
            prompt_tokens=30,
            tokens=10,
            first=9,
            regret=10 * regret,
            surprise=10 * (surprise + 0.1 * (-1) ** number),
            ending=10 * ending,
            penalised={name: 10 * value for name, value in penalised.items()},
        )
        for number in range(N)
    ]


REPEATS = Served(endpoint="http://h/v1", repeated=5, repeated_same=5)
DRAWS = replace(REPEATS, repeated_same=1)


@pytest.mark.parametrize(
    ("served", "answers", "rows", "cause"),
    [
        (REPEATS, pairs(N), read(0, -0.5), "none"),
        (REPEATS, pairs(N), [], "none"),
        (REPEATS, pairs(18), read(0.001, -0.5), "decoding"),
        (REPEATS, pairs(18, more=1), read(0.001, -0.5), "decoding"),  # a token that changes nothing
        (DRAWS, pairs(2), read(0.9, 0.0), "decoding"),
        (DRAWS, pairs(2), read(0.5, -0.3), "decoding"),  # at a low temperature
        (DRAWS, pairs(2), read(2.0, 0.6), "model"),
        (replace(REPEATS, dropped=("temperature",)), pairs(2), read(0.9, 0.0), "decoding"),
        (replace(REPEATS, dropped=("temperature",)), pairs(2), read(2.0, 0.6), "model"),
        (replace(REPEATS, dropped=("seed",)), pairs(2), read(0.9, 0.0), "model"),
        (REPEATS, pairs(2), read(0.9, 0.0), "model"),
        (REPEATS, pairs(2), read(0.3, -0.4), "model"),
        (REPEATS, pairs(2), read(0.3, -0.4, **{"1.05": 0.1, "1.1": 0.01}), "decoding"),
        (REPEATS, pairs(2), read(0.3, -0.4, **{"1.05": 0.2, "1.1": 0.15}), "model"),
        (REPEATS, pairs(2), read(0.3, -0.4, ending=0.299), "decoding"),  # stop words
        (REPEATS, pairs(2), read(0.3, -0.4, ending=0.2), "model"),
        (REPEATS, pairs(2, more=7), read(0.3, -0.4, ending=0.299), "template"),
        (REPEATS, pairs(2, more=7), read(0.9, 0.0), "template"),
        (REPEATS, pairs(2, more=-7), read(0.9, 0.0), "template"),
        (REPEATS, pairs(9), read(0.0127, -0.5), "decoding"),
        (REPEATS, pairs(9, more=1), read(0.0127, -0.5), "template"),  # a line break
        (DRAWS, pairs(2, more=7), read(2.0, 0.9), "template"),
        (REPEATS, pairs(2, more=7), [], "template"),
        (REPEATS, pairs(2), [], "unknown"),
        (REPEATS, pairs(2, counted=False), [], "unknown"),
        (REPEATS, pairs(2, counted=False), read(0.9, 0.0), "unknown"),
        (DRAWS, pairs(2, counted=False), read(0.9, 0.0), "decoding"),
        (REPEATS, [], [], "unknown"),
    ],
)
def test_the_cause(
    served: Served,
    answers: list[tuple[Prediction, Prediction]],
    rows: list[Likeness],
    cause: str,
) -> None:
    assert sum_up("candidate", served, answers, rows).cause == cause


@pytest.mark.parametrize(
    ("sampled", "rows", "cause"),
    [
        (True, read(0.4, -0.9), "decoding"),
        (True, read(1.6, 0.1), "decoding"),
        (True, read(2.0, 0.6), "model"),
        (False, read(0.4, -0.9), "model"),
    ],
)
def test_what_is_drawn_by_a_seed_comes_again_and_is_drawn(
    sampled: bool, rows: list[Likeness], cause: str
) -> None:
    """The figures are those of vLLM, which draws one answer by one seed."""
    found = sum_up("candidate", REPEATS, pairs(0), rows, sampled=sampled)
    assert found.cause == cause
    assert ("it was asked to sample" in said(found)) == (cause == "decoding")


@pytest.mark.parametrize("sampled", [False, True])
def test_whether_it_was_asked_to_draw_is_what_the_run_asked(sampled: bool, tmp_path: Path) -> None:
    rows = pairs(2)
    asked = {"do_sample": sampled}
    generations = {
        "candidate": SimpleNamespace(served=REPEATS, given=None, settings=asked),
        "baseline": SimpleNamespace(served=None, given=None, settings={}),
    }
    for place, side in enumerate(generations):
        store.write_rows(tmp_path / side / PREDICTIONS, (pair[place] for pair in rows))
    sides = [
        SimpleNamespace(side=side, folder=tmp_path / side, generation=generation)
        for side, generation in generations.items()
    ]
    store.write_rows(tmp_path / PARITY, read(0.4, -0.9))
    run: Any = SimpleNamespace(folder=tmp_path, sides=sides)
    found = parity.read(run)
    assert found
    assert (found.sampled, found.cause) == (sampled, "decoding" if sampled else "model")


def test_the_numbers_and_the_words() -> None:
    found = sum_up("candidate", REPEATS, pairs(12, more=7), read(0.9, 0.0))
    assert (found.answered, found.same) == (20, 12)
    assert (found.counted, found.counts_differ, found.more_tokens) == (20, 20, 7)
    assert (found.read, found.tokens, found.first) == (20, 200, 0.9)
    assert found.regret == pytest.approx(0.9)
    assert said(found).startswith("12 of 20 answers are the same. The difference is one of the tem")


def test_where_no_prompt_is_counted_the_template_may_be_another() -> None:
    text = said(sum_up("candidate", REPEATS, pairs(2, counted=False), read(0.9, 0.0)))
    assert "one of the template or of the model is not known: the endpoint does not count" in text
    assert "the weights have not read" not in text
    assert "have not read" in said(sum_up("candidate", REPEATS, pairs(2), []))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("finish", "regret", "told"),
    [
        ("length", 0.001, "a limit of its own, lower than generate.max_new_tokens, or where its"),
        ("stop", 0.001, "as good as it."),
        ("length", 0.9, "Besides, the endpoint cuts answers at a limit of its own"),
    ],
)
def test_answers_that_end_before_the_weights_own_by_a_lower_limit(
    finish: Any, regret: float, told: str, *, counted: bool
) -> None:
    cut = [
        (
            replace(one, output="te", finish=finish, output_tokens=2 if counted else 0),
            replace(own, finish="length"),
        )
        for one, own in pairs(0)
    ]
    found = sum_up("candidate", REPEATS, cut, read(regret, -0.5))
    assert found.capped == (N if finish == "length" else 0)
    assert told in said(found)
    assert said(found).count("limit of its own") == ("limit of its own" in told)


def test_a_repetition_penalty_is_named_where_it_explains_the_answers() -> None:
    rows = read(0.3, -0.4, **{"1.05": 0.1, "1.1": 0.01, "1.2": 0.2})
    found = sum_up("candidate", REPEATS, pairs(2), rows)
    assert found.penalty == 1.1
    assert "a repetition penalty of about 1.1" in said(found)
    rounded = sum_up("candidate", REPEATS, pairs(2), read(0.001, -0.4, **{"1.05": 0.1}))
    assert rounded.penalty is None
    assert "as good as it" in said(rounded)


def test_prompts_that_were_cut_on_one_side_are_not_counted() -> None:
    cut = [(row, replace(own, prompt_truncated=True)) for row, own in pairs(2, more=7)]
    assert sum_up("candidate", REPEATS, cut, []).counted == 0


@pytest.mark.parametrize(
    ("more", "rows", "told"),
    [
        (0, read(0.3, -0.4, ending=0.299), "but for where answers end, each token is the weights'"),
        (0, read(0.3, -0.4), "is most likely one of the model"),
        (7, read(0.3, -0.4), "behind their own."),
        (-7, read(0.3, -0.4), "It counts fewer: that may also be prompts that it cuts"),
    ],
)
def test_no_cause_is_told_for_certain_that_is_not(more: int, rows: Any, told: str) -> None:
    found = sum_up("candidate", REPEATS, pairs(2, more=more), rows)
    assert told in said(found)
    assert ("counts fewer" in said(found)) == (more < 0)
