"""bleu-4: LLaMA-Factory's sentence BLEU over characters."""

from __future__ import annotations

import math

from assay.metrics.contract import PERCENT, AutoMetric, target_of
from assay.metrics.ngrams import shared_ngrams
from assay.records import Prediction, Sample

_ORDER = 4


def bleu_4(sample: Sample, prediction: Prediction) -> float:
    """Return BLEU-4 in percent, 0 to 100, rounded to 4 digits, as LLaMA-Factory 0.9.5 does.

    nltk's `sentence_bleu` (Papineni et al. 2002) of the characters of the output against those of
    the target, uniform weights, smoothing method 3 of Chen and Cherry (2014): the k-th order
    without a match counts 1 / 2^k matches. Identical texts of fewer than 4 characters stay below
    100 by that formula. Raises Unscored("no_target").
    """
    return round(sentence_bleu(prediction.output, target_of(sample)) * 100, 4)


def sentence_bleu(output: str, target: str) -> float:
    """Return the BLEU-4 of two texts over characters with smoothing method 3, 0 to 1."""
    matches = shared_ngrams(output, target, _ORDER)
    if matches[0] == 0:
        return 0.0
    logs, misses = [], 0
    for n, matched in enumerate(matches):
        total = max(1, len(output) - n)
        if not matched:
            misses += 1
        precision = matched / total if matched else 1 / (2**misses * total)
        logs.append(math.log(precision) / _ORDER)
    return _brevity_penalty(len(output), len(target)) * math.exp(math.fsum(logs))


def _brevity_penalty(output: int, target: int) -> float:
    return 1.0 if output > target else math.exp(1 - target / output)


BLEU_4 = AutoMetric(
    name="bleu-4",
    direction="higher",
    scale=PERCENT,
    meaning="LLaMA-Factory's BLEU-4: a sentence BLEU over characters, not words (nltk, smoothing "
    "method 3), averaged over samples and not comparable with corpus BLEU, 0 to 100.",
    group="similarity",
    function=bleu_4,
    reference="LLaMA-Factory 0.9.5, to its 4 digits",
    usual=True,
)
