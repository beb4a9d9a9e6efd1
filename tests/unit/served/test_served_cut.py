"""An endpoint that cuts prompts without a word is seen by the tokens that it counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.served.cut import silently_cut
from tests.faults.endpoint import Answer, Body, serving
from tests.unit.served.conftest import answered, model_at, sample

SIZES = [20, 60, 90, 150, 400, 800, 1500, 3000, 6000, 12000]


def tokens(sent: int, each: float, template: int = 30, most: int = 10**9) -> int:
    return min(most, template + round(sent / each))


@pytest.mark.parametrize("each", [1.5, 3.0, 4.5])
@pytest.mark.parametrize("template", [5, 200, 2000])
def test_what_is_not_cut_is_never_named(each: float, template: int) -> None:
    sizes = [(sent, tokens(sent, each, template)) for sent in SIZES]
    assert not any(silently_cut(sizes))


@pytest.mark.parametrize("each", [1.5, 3.0, 4.5])
@pytest.mark.parametrize("template", [5, 60])
def test_what_is_cut_is_named(each: float, template: int) -> None:
    most = template + round(1500 / each)
    sizes = [(sent, tokens(sent, each, template, most)) for sent in SIZES]
    named = [sent for (sent, _), cut in zip(sizes, silently_cut(sizes), strict=True) if cut]
    assert named == [3000, 6000, 12000]  # they end where the one of 1,500 does


def test_one_alone_is_named_where_no_tokenizer_makes_so_few_of_it() -> None:
    assert silently_cut([(20_000, 512)]) == [True]
    assert silently_cut([(20_000, 4_000)]) == [False]
    assert silently_cut([(20_000, 0)]) == [False]  # nothing was counted


@pytest.mark.parametrize("most", [128, 512, 4096])
@pytest.mark.parametrize("each", [1.5, 3.0, 4.5])
def test_where_all_are_too_long_they_end_at_one_number(most: int, each: float) -> None:
    sent = [round(most * each * longer) for longer in (1.1, 1.2, 1.5, 2.0)]
    assert silently_cut([(size, tokens(size, each, most=most)) for size in sent]) == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "sizes",
    [
        [(400, 130)] * 9,  # the same prompt
        [(400, 130), (402, 130), (404, 130)],
        [(1000, 250), (2000, 250)],  # two, by chance
        [(90, 40), (120, 40), (200, 40)],
    ],
)
def test_as_many_tokens_by_chance_are_no_limit(sizes: list[tuple[int, int]]) -> None:
    assert not any(silently_cut(sizes))


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(2.6, 4.9)), max_size=40))
def test_texts_that_differ_in_bytes_a_token_are_not_taken_for_cut(
    prompts: list[tuple[int, float]],
) -> None:
    sizes = [(sent, tokens(sent, each)) for sent, each in prompts]
    assert not any(silently_cut(sizes))


def test_the_stage_tells_which(tmp_path: Path) -> None:
    def answer(body: Body) -> Answer:
        sent = len(body["messages"][-1]["content"])
        count = min(200, 20 + sent // 4)
        message = {"role": "assistant", "content": "4"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1}
        return Answer(body=json.dumps({"choices": [choice], "usage": usage}).encode())

    rows = [sample(f"s{size}", "word " * (size // 5)) for size in SIZES]
    with serving(answer) as endpoint:
        done, predictions = answered(model_at(endpoint.url), rows, tmp_path)
    assert done.served
    assert done.served.cut == ("s1500", "s3000", "s6000", "s12000")
    assert predictions["s6000"].prompt_truncated
    assert not predictions["s800"].prompt_truncated
