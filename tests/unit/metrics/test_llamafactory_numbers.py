"""LLaMA-Factory's own ComputeSimilarity is the reference: equal to the last digit it prints."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings

from assay.metrics import METRICS, Unscored
from assay.metrics.segment import segment
from tests.unit.metrics.pairs import ODD, pair, texts

NAMES = ("bleu-4", "rouge-1", "rouge-2", "rouge-l")
Reference = Callable[[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def reference(llamafactory: None) -> Reference:
    """Return what LLaMA-Factory says of one output and its target."""
    from llamafactory.train.sft.metric import ComputeSimilarity

    texts: list[list[str]] = []
    tokenizer = SimpleNamespace(pad_token_id=0, batch_decode=lambda ids, **_: texts[int(ids[0, 0])])
    compute = ComputeSimilarity(tokenizer)

    def similarity(output: str, target: str) -> dict[str, float]:
        texts[:] = [[output], [target]]
        ids = SimpleNamespace(predictions=np.array([[0]]), label_ids=np.array([[1]]))
        found: dict[str, float] = compute(ids)
        return found

    return similarity


def ours(output: str, target: str) -> dict[str, float]:
    return {name: METRICS[name](*pair(output, target)) for name in NAMES}


@pytest.mark.parametrize("target", [text for text in ODD if text.strip()])
def test_odd_texts_score_as_llamafactory_says(reference: Reference, target: str) -> None:
    for output in ODD:
        if len(output) < 1000 or len(target) < 1000:
            assert ours(output, target) == reference(output, target)


@settings(max_examples=400, deadline=None)
@given(output=texts, target=texts.filter(lambda text: bool(text.strip())))
def test_any_text_scores_as_llamafactory_says(
    reference: Reference, output: str, target: str
) -> None:
    assert ours(output, target) == reference(output, target)


def test_an_empty_output_scores_zero_and_an_empty_target_nothing() -> None:
    assert ours("", "the cat") == dict.fromkeys(NAMES, 0.0)
    for name in NAMES:
        with pytest.raises(Unscored, match="no_target"):
            METRICS[name](*pair("the cat", ""))


@settings(max_examples=400, deadline=None)
@given(text=texts)
def test_words_are_jiebas(text: str) -> None:
    import jieba

    assert segment(text) == list(jieba.cut(text))


def test_a_long_run_of_rare_characters_is_cut_as_jieba_cuts_it() -> None:
    import jieba

    text = "".join(map(chr, range(0x4E00, 0x9FD6, 7)))
    assert segment(text) == list(jieba.cut(text))
