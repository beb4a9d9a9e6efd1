"""Each standard metric against the implementation that gave it its name."""

from __future__ import annotations

import importlib.util
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from assay.metrics import CORPUS_METRICS, METRICS, Unscored
from assay.metrics.corpus_bleu import words_13a, words_zh
from tests.needs import need
from tests.unit.metrics.pairs import ODD, pair, texts

targets = texts.filter(lambda text: bool(text.strip()))
corpora = st.lists(st.tuples(texts, targets), min_size=1, max_size=6)


@pytest.mark.parametrize("stemmed", [False, True])
@settings(max_examples=300, deadline=None)
@given(output=texts, target=texts.filter(lambda text: bool(re.search("[a-z0-9]", text.lower()))))
def test_rouge_is_rouge_scores(stemmed: bool, output: str, target: str) -> None:
    if "y" * 1000 in output + target:
        return  # rouge-score's stemmer recurses over a run of the letter y
    names = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    wanted = RougeScorer(names, use_stemmer=stemmed).score(target, output)
    for name in names:
        found = METRICS[f"{name}-stem" if stemmed else name](*pair(output, target))
        assert found == pytest.approx(100 * wanted[name].fmeasure, abs=1e-9)


def test_long_lines_have_rouge_scores_subsequence() -> None:
    output = " ".join(str(number * 7 % 11) for number in range(2500))
    target = " ".join(str(number * 5 % 13) for number in range(300))
    wanted = RougeScorer(["rougeLsum"]).score(target, output)["rougeLsum"].fmeasure
    assert METRICS["rougeLsum"](*pair(output, target)) == pytest.approx(100 * wanted, abs=1e-9)


def test_rouge_of_a_script_without_its_words_is_unscored() -> None:
    with pytest.raises(Unscored, match="no_words"):
        METRICS["rouge1"](*pair("今天", "今天"))


@settings(max_examples=300, deadline=None)
@given(output=texts, target=targets)
def test_chrf_is_sacrebleus(output: str, target: str) -> None:
    wanted = CHRF().sentence_score(output, [target]).score
    assert METRICS["chrf"](*pair(output, target)) == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(text=texts)
def test_words_are_sacrebleus(text: str) -> None:
    assert words_13a(text) == BLEU(tokenize="13a")._preprocess_segment(text).split()
    assert words_zh(text) == BLEU(tokenize="zh")._preprocess_segment(text).split()


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("corpus-bleu", BLEU(tokenize="13a")),
        ("corpus-bleu-zh", BLEU(tokenize="zh")),
        ("corpus-chrf", CHRF()),
    ],
)
@settings(max_examples=200, deadline=None)
@given(corpus=corpora)
def test_corpus_metrics_are_sacrebleus(
    name: str, reference: BLEU | CHRF, corpus: list[tuple[str, str]]
) -> None:
    metric = CORPUS_METRICS[name]
    outputs, wanted = zip(*corpus, strict=True)
    counts = [metric.counts(output, target) for output, target in corpus]
    found = metric.score([sum(column) for column in zip(*counts, strict=True)])
    assert found == pytest.approx(reference.corpus_score(outputs, [wanted]).score, abs=1e-9)
    assert metric.signature() == str(reference.get_signature())


@settings(max_examples=300, deadline=None)
@given(output=texts, target=targets)
def test_exact_match_and_token_f1_are_squads(output: str, target: str) -> None:
    need(importlib.util.find_spec("transformers") is not None, "needs transformers: make setup")
    from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

    if re.search("[\u3040-\u30ff\u3400-\u9fff]", output + target):
        return  # ideographs and kana are words here, and are not in SQuAD
    assert METRICS["exact-match"](*pair(output, target)) == 100 * compute_exact(target, output)
    wanted = 100 * compute_f1(target, output)
    assert METRICS["token-f1"](*pair(output, target)) == pytest.approx(wanted, abs=1e-9)


def test_ideographs_are_words_of_an_answer() -> None:
    assert METRICS["token-f1"](*pair("北京市", "北京")) == pytest.approx(80.0)
    assert METRICS["exact-match"](*pair("北京 。", "北京。")) == 100.0


@pytest.mark.parametrize(
    ("output", "target", "values"),
    [
        ("the cat the cat the cat", "the cat", {"distinct-1": 100 / 3, "distinct-2": 40.0}),
        ("abcd", "ab", {"length-ratio": 2.0, "empty": 0.0, "truncated": 0.0}),
        (" \n", "ab", {"length-ratio": 1.0, "empty": 100.0}),
        ("四只猫 cat", "四只猫坐着", {"language-mismatch": 0.0}),
        ("four cats", "四只猫", {"language-mismatch": 100.0}),
        ("猫が四匹います", "四只猫坐着", {"language-mismatch": 100.0}),
        ("Кошка", "кот", {"language-mismatch": 0.0}),
    ],
)
def test_diagnostics(output: str, target: str, values: dict[str, float]) -> None:
    for name, value in values.items():
        assert METRICS[name](*pair(output, target)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "output", "cause"),
    [
        ("distinct-1", "", "no_words"),
        ("distinct-2", "one", "no_words"),
        ("language-mismatch", "123", "no_letters"),
    ],
)
def test_a_diagnostic_without_matter_is_unscored(name: str, output: str, cause: str) -> None:
    with pytest.raises(Unscored, match=cause):
        METRICS[name](*pair(output, "the cat"))


def test_every_odd_text_is_no_exception() -> None:
    for output in ODD:
        for metric in METRICS.values():
            try:
                value = metric(*pair(output, "the cat 猫"))
            except Unscored:
                continue
            assert value == value
