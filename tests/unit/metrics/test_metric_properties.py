"""What must hold of every metric, whatever a model wrote."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from assay.metrics import METRICS
from assay.metrics.stage import score
from tests.unit.metrics.pairs import pair, texts

REFERENCE_FREE = {"empty", "truncated", "distinct-1", "distinct-2", "json-valid", "code-compiles"}
SYMMETRIC = {
    *("rouge-1", "rouge-2", "rouge-l", "rouge1", "rouge2", "rougeL", "rouge1-stem"),
    *("rouge2-stem", "rougeL-stem", "exact-match", "token-f1", "language-mismatch"),
}
SIMILARITIES = set(METRICS) - REFERENCE_FREE - {"length-ratio", "language-mismatch", "meteor"}
SENTENCE = "a quick brown fox jumped over 12 lazy dogs 我们今天去公园散步"


@settings(max_examples=300, deadline=None)
@given(output=texts, target=texts)
def test_a_number_in_range_or_a_cause(output: str, target: str) -> None:
    found = score(METRICS, pair(output, target))
    assert found.values.keys() | found.unscored.keys() == METRICS.keys()
    assert not found.values.keys() & found.unscored.keys()
    for name, value in found.values.items():
        assert math.isfinite(value)
        assert value >= 0
        assert value <= 100 or name == "length-ratio"
    if not target.strip():
        assert found.values.keys() <= REFERENCE_FREE
        assert found.unscored["rouge-1"] == "no_target"


@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_identical_texts_score_the_maximum(text: str) -> None:
    whole = f"{text} {SENTENCE}"
    found = score(METRICS, pair(whole, whole))
    assert {name: found.values[name] for name in SIMILARITIES} == dict.fromkeys(SIMILARITIES, 100.0)
    assert found.values["length-ratio"] == 1.0
    assert found.values["language-mismatch"] == 0.0


@settings(max_examples=200, deadline=None)
@given(one=texts, other=texts)
def test_symmetric_where_the_definition_is(one: str, other: str) -> None:
    there, back = score(METRICS, pair(one, other)), score(METRICS, pair(other, one))
    for name in SYMMETRIC & there.values.keys() & back.values.keys():
        assert there.values[name] == pytest.approx(back.values[name], abs=1e-9)


@pytest.mark.parametrize(
    "output",
    [
        "x" * 1_000_000,
        "的" * 200_000,
        "。\n" * 100_000,
        "the cat sat " * 20_000,
        bytes(range(256)).decode("latin-1") * 800,
        "".join(map(chr, range(0x100, 0x30000))),
    ],
    ids=["letters", "ideographs", "blank lines", "words", "bytes", "every character"],
)
def test_long_output_of_any_kind_is_scored(output: str) -> None:
    found = score(METRICS, pair(output, "The cat sat on the mat.\n猫坐着。"))
    assert found.values["bleu-4"] < 1
    assert found.values["rouge-l"] < 1
    assert "no_target" not in found.unscored.values()
