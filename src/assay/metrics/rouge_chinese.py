"""rouge-1, rouge-2, rouge-l: LLaMA-Factory's ROUGE over jieba's words."""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Set
from itertools import pairwise

from assay.metrics.contract import PERCENT, AutoMetric, MetricFunction, target_of
from assay.metrics.lcs import lcs_length
from assay.metrics.segment import segment
from assay.records import Prediction, Sample

_SENTENCE_END = re.compile("([。！？?])")
_SIX_DOTS = re.compile(r"(\.{6})([^”’])")


def rouge_1(sample: Sample, prediction: Prediction) -> float:
    """Return ROUGE-1 F1 in percent, 0 to 100, rounded to 4 digits, as LLaMA-Factory 0.9.5 does.

    rouge_chinese 1.0.3 over jieba's words: distinct words, however often they occur; F1 with 1e-8
    added to its denominator. Raises Unscored("no_target").
    """
    output, target = words(prediction.output), words(target_of(sample))
    return _percent(_f1_of_sets(set(output), set(target)))


def rouge_2(sample: Sample, prediction: Prediction) -> float:
    """Return ROUGE-2 F1 in percent, 0 to 100: as `rouge_1`, of distinct pairs of words. Texts of a
    single word have none, and score 0. Raises Unscored("no_target")."""
    output, target = words(prediction.output), words(target_of(sample))
    pairs, wanted = set(pairwise(output)), set(pairwise(target))
    return _percent(_f1_of_sets(pairs, wanted))


def rouge_l(sample: Sample, prediction: Prediction) -> float:
    """Return ROUGE-L F1 in percent, 0 to 100: as `rouge_1`, of the longest common subsequence of
    all words, repeated ones included. Raises Unscored("no_target")."""
    output, target = words(prediction.output), words(target_of(sample))
    return _percent(_f1(lcs_length(output, target), len(output), len(target)))


@functools.lru_cache(maxsize=4)
def words(text: str) -> tuple[str, ...]:
    """Return the words that LLaMA-Factory hands to rouge_chinese and what that makes of them.

    Sentences end after 。！？? and six dots, lines at line feeds; words are what is between spaces.
    A line of spaces alone counts as one empty word. Empty where the text is blank.
    """
    joined = " ".join(segment(text))
    if joined.isspace() or not joined:
        return ()
    lines = _SENTENCE_END.sub("\\1\n", joined)
    if "......" in lines:
        lines = _SIX_DOTS.sub(r"\1\n\2", lines)
    pieces: list[str] = []
    for line in lines.rstrip().split("\n"):
        if line:
            pieces += line.split() or [""]
    return tuple(pieces)


def _f1_of_sets(output: Set[Hashable], target: Set[Hashable]) -> float:
    return _f1(len(output & target), len(output), len(target))


def _f1(shared: int, output: int, target: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / output, shared / target
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def _percent(value: float) -> float:
    return round(value * 100, 4)


def _metric(name: str, function: MetricFunction, unit: str, package: str = "jieba") -> AutoMetric:
    return AutoMetric(
        name=name,
        direction="higher",
        scale=PERCENT,
        meaning=f"F1 over {unit} as LLaMA-Factory computes it: words by jieba, score by "
        "rouge_chinese, 0 to 100.",
        group="similarity",
        function=function,
        package=package,
        reference="LLaMA-Factory 0.9.5, to its 4 digits",
        usual=True,
    )


ROUGE_1 = _metric("rouge-1", rouge_1, "single words")
ROUGE_2 = _metric("rouge-2", rouge_2, "pairs of words")
ROUGE_L = _metric("rouge-l", rouge_l, "the longest common subsequence", "jieba rapidfuzz")
