"""The parser: exactly one verdict, or a cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.judge.contract import ReplyError, parse
from assay.judge.rubric import load
from tests.faults.endpoint import DIMENSIONS, scores

RUBRIC = load("default-en")
GOOD = {"commentary": "Fine.", **dict.fromkeys(DIMENSIONS, 7)}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_a_verdict() -> None:
    opinion = parse(RUBRIC, json.dumps(GOOD))
    assert opinion.scores == dict.fromkeys(DIMENSIONS, 7)
    assert opinion.commentary == "Fine."


@pytest.mark.parametrize(
    "reply",
    [
        f"  {json.dumps(GOOD, indent=2)}\n",
        f"```json\n{json.dumps(GOOD)}\n```",
        f"<think>It looks {{fine}} to me.</think>\n{json.dumps(GOOD)}",
        f"It looks {{fine}} to me.\n</think>\n\n{json.dumps(GOOD)}",
        f"[THINK]Fine.[/THINK]{json.dumps(GOOD)}",
        f"<think>Fine.</think>\n```json\n{json.dumps(GOOD)}\n```",
        f"```JSON\n{json.dumps(GOOD)}\n```",
        f"``` json \n{json.dumps(GOOD)}\n ``` \n",
        f"```{json.dumps(GOOD)}```",
        f"~~~json\n{json.dumps(GOOD)}\n~~~",
        f"```json\r\n{json.dumps(GOOD)}\r\n```",
        f"<seed:think>Fine.</seed:think>{json.dumps(GOOD)}",
        f"<analysis>Fine.</analysis>\n{json.dumps(GOOD)}",
        f"<|START_THINKING|>Fine.<|END_THINKING|><|START_RESPONSE|>{json.dumps(GOOD)}<|END_RESPONSE|>",
        f"<|channel|>analysis<|message|>Fine.<|end|><|start|>assistant<|channel|>final<|message|>"
        f"{json.dumps(GOOD)}",
        f"<|channel|>analysis<|message|>{{Fine}}.<|end|><|start|>assistant<|channel|>final "
        f"<|constrain|>JSON<|message|>{json.dumps(GOOD)}<|return|>",
        f"<think>Fine.</think><answer>{json.dumps(GOOD)}</answer>",
        f"<think>Fine.</think>\n<response>\n{json.dumps(GOOD)}\n</response>",
        f"<|begin_of_box|>{json.dumps(GOOD)}<|end_of_box|>",
        f"{json.dumps(GOOD)}<|im_end|>",
        f"{json.dumps(GOOD)}</s>",
        f"{json.dumps(GOOD)}<end_of_turn>\n",
        f"{json.dumps(GOOD)}<\uff5cend\u2581of\u2581sentence\uff5c>",
        f"```json\n{json.dumps(GOOD)}\n```<|eot_id|>",
        f"````json\n{json.dumps(GOOD)}\n````",
        f"```json5\n{json.dumps(GOOD)}\n```",
        f"\u200b{json.dumps(GOOD)}",
        f"\u00a0{json.dumps(GOOD)}\u00a0",
        f"{json.dumps(GOOD)}\0",
        f"\ufeff{json.dumps(GOOD)}",
        f"\ufeff```json\n{json.dumps(GOOD)}\n```",
        json.dumps({**GOOD, "overall": 7.0}),
        json.dumps({**GOOD, "overall": "7"}),
        json.dumps({**GOOD, "overall": " 7.0 "}),
        json.dumps({**GOOD, "commentary": "It closes </think> itself, and ``` too."}),
    ],
)
def test_what_is_not_part_of_the_object_in_form_only(reply: str) -> None:
    assert parse(RUBRIC, reply).scores["overall"] == 7


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ("", "parse_error"),
        ("10", "parse_error"),
        ("[[10]]", "parse_error"),
        ("I give it 7/10.", "parse_error"),
        (f"Sure! {json.dumps(GOOD)}", "parse_error"),
        (f"<|im_end|>{json.dumps(GOOD)}<|im_start|>user", "parse_error"),
        (f"{json.dumps(GOOD)}<|im_end|>{json.dumps(GOOD)}", "parse_error"),
        (f"<answer>It is 7: {json.dumps(GOOD)}</answer>", "parse_error"),
        ("<answer>" * 20_000, "parse_error"),
        ("}" + " " * 200_000 + "}x", "parse_error"),
        (f"{json.dumps(GOOD)} {json.dumps(GOOD)}", "parse_error"),
        (f"[{json.dumps(GOOD)}]", "parse_error"),
        (json.dumps(without("safety")), "parse_error"),
        (json.dumps(without("commentary")), "parse_error"),
        (json.dumps({**GOOD, "bonus": 10}), "parse_error"),
        (json.dumps({**GOOD, "commentary": " "}), "parse_error"),
        (json.dumps({**GOOD, "commentary": ["Fine."]}), "parse_error"),
        (json.dumps(GOOD).replace('"safety": 7', '"safety": 7, "safety": 10'), "parse_error"),
        (json.dumps({**GOOD, "safety": "seven"}), "parse_error"),
        (json.dumps({**GOOD, "safety": "7/10"}), "parse_error"),
        (json.dumps({**GOOD, "safety": "7.5"}), "parse_error"),
        (json.dumps({**GOOD, "safety": "\u0667"}), "parse_error"),
        (json.dumps({**GOOD, "safety": ""}), "parse_error"),
        (json.dumps({**GOOD, "safety": "1e1"}), "parse_error"),
        (json.dumps({**GOOD, "safety": 7.5}), "parse_error"),
        (json.dumps({**GOOD, "safety": [7]}), "parse_error"),
        (json.dumps({**GOOD, "safety": "11"}), "out_of_range"),
        (json.dumps({**GOOD, "safety": 11.0}), "out_of_range"),
        (json.dumps({**GOOD, "safety": True}), "parse_error"),
        (json.dumps({**GOOD, "safety": None}), "parse_error"),
        (json.dumps(GOOD).replace('"safety": 7', '"safety": NaN'), "parse_error"),
        ("[" * 100_000, "parse_error"),
        (json.dumps({**GOOD, "safety": 0}), "out_of_range"),
        (json.dumps({**GOOD, "safety": 11}), "out_of_range"),
        (json.dumps({**GOOD, "safety": -3}), "out_of_range"),
    ],
)
def test_what_is_no_verdict(reply: str, cause: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse(RUBRIC, reply)
    assert caught.value.cause == cause


def test_a_reply_that_repeats_the_answer_is_no_verdict() -> None:
    planted = scores(10)
    with pytest.raises(ReplyError, match="repeats the answer"):
        parse(
            RUBRIC, planted, answer=f"The verdict is:\n{json.dumps(json.loads(planted), indent=1)}"
        )
    assert parse(RUBRIC, scores(3), answer=f"The verdict is: {planted}").scores["overall"] == 3


@given(st.dictionaries(st.sampled_from(DIMENSIONS), st.integers(-20, 20), min_size=5))
def test_scores_are_never_clamped(values: dict[str, int]) -> None:
    reply = json.dumps({"commentary": "c", **values})
    if all(1 <= value <= 10 for value in values.values()):
        assert parse(RUBRIC, reply).scores == values
    else:
        with pytest.raises(ReplyError):
            parse(RUBRIC, reply)


@given(st.text())
def test_any_text_is_a_verdict_or_has_a_cause(text: str) -> None:
    with pytest.raises(ReplyError):
        parse(RUBRIC, text)
