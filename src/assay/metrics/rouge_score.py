"""rouge1, rouge2, rougeL, rougeLsum, each also with Porter stems: ROUGE as rouge-score has it."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import pairwise

from assay.metrics.contract import PERCENT, AutoMetric, MetricFunction, Unscored, target_of
from assay.metrics.lcs import lcs_length, lcs_positions
from assay.metrics.stemmer import stem
from assay.records import Prediction, Sample

_WORDS = re.compile("[a-z0-9]+")

Words = tuple[str, ...]


def rouge1(sample: Sample, prediction: Prediction, *, stemmed: bool = False) -> float:
    """Return ROUGE-1 F1 in percent, 0 to 100: clipped counts of words (Lin 2004).

    Equal to the F-measure of rouge-score 0.1.2, with `use_stemmer` for `stemmed`. Its words are
    runs of a-z and 0-9 in lower case, so that other scripts have none. Raises
    Unscored("no_target"), or Unscored("no_words") for a target without such words.
    """
    output, target = _both(sample, prediction, stemmed)
    return _f1(_shared(output, target), len(output), len(target))


def rouge2(sample: Sample, prediction: Prediction, *, stemmed: bool = False) -> float:
    """Return ROUGE-2 F1 in percent, 0 to 100: as `rouge1`, of pairs of adjacent words."""
    output, target = _both(sample, prediction, stemmed)
    shared = _shared(pairwise(output), pairwise(target))
    return _f1(shared, len(output) - 1, len(target) - 1)


def rougel(sample: Sample, prediction: Prediction, *, stemmed: bool = False) -> float:
    """Return ROUGE-L F1 in percent, 0 to 100: as `rouge1`, of the longest common subsequence."""
    output, target = _both(sample, prediction, stemmed)
    return _f1(lcs_length(output, target), len(output), len(target))


def rougelsum(sample: Sample, prediction: Prediction, *, stemmed: bool = False) -> float:
    """Return ROUGE-Lsum F1 in percent, 0 to 100: as `rouge1`, of the union, for each line of the
    target, of its longest common subsequences with the lines of the output, no word counted more
    often than it occurs in either text."""
    _both(sample, prediction, stemmed)
    outputs, targets = _lines(prediction.output, stemmed), _lines(sample.target, stemmed)
    left = Counter(word for line in outputs for word in line)
    wanted = Counter(word for line in targets for word in line)
    distinct = dict.fromkeys(outputs)
    hits = 0
    for line in targets:
        places = set[int]().union(*(lcs_positions(line, other) for other in distinct))
        for place in sorted(places):
            word = line[place]
            if left[word] > 0 and wanted[word] > 0:
                left[word] -= 1
                wanted[word] -= 1
                hits += 1
    return _f1(hits, sum(map(len, outputs)), sum(map(len, targets)))


def stemmed(metric: Callable[..., float]) -> MetricFunction:
    """Return one of this module's metrics over Porter stems of the words of 4 letters or more."""
    return functools.partial(metric, stemmed=True)


def _both(sample: Sample, prediction: Prediction, stemmed: bool) -> tuple[Words, Words]:
    target = _words(target_of(sample), stemmed)
    if not target:
        raise Unscored("no_words")
    return _words(prediction.output, stemmed), target


def _split(text: str, stemmed: bool) -> Words:
    words = _WORDS.findall(text.lower())
    if not stemmed:
        return tuple(words)
    return tuple(filter(None, (stem(word) if len(word) > 3 else word for word in words)))


_words = functools.lru_cache(maxsize=4)(_split)


def _lines(text: str, stemmed: bool) -> list[Words]:
    return [_split(line, stemmed) for line in text.split("\n") if line]


def _shared(output: Iterable[Hashable], target: Iterable[Hashable]) -> int:
    return (Counter(output) & Counter(target)).total()


def _f1(shared: int, output: int, target: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / output, shared / target
    return 100 * 2 * precision * recall / (precision + recall)


def _metric(
    name: str, function: Callable[..., float], unit: str, package: str, *, stems: bool
) -> AutoMetric:
    words = "Porter stems" if stems else "words of a-z and 0-9"
    return AutoMetric(
        name=f"{name}-stem" if stems else name,
        direction="higher",
        scale=PERCENT,
        meaning=f"F1 over {unit} as rouge-score computes it: {words}, 0 to 100.",
        group="similarity",
        function=stemmed(function) if stems else function,
        package=f"nltk {package}".strip() if stems else package,
        reference=f"rouge-score 0.1.2{' with `use_stemmer`' * stems}, to 1e-9",
    )


_METRICS = (
    ("rouge1", rouge1, "single words", ""),
    ("rouge2", rouge2, "pairs of words", ""),
    ("rougeL", rougel, "the longest common subsequence", "rapidfuzz"),
    ("rougeLsum", rougelsum, "the longest common subsequences, line by line", ""),
)
ROUGE1, ROUGE2, ROUGEL, ROUGELSUM = (_metric(*each, stems=False) for each in _METRICS)
ROUGE1_STEM, ROUGE2_STEM, ROUGEL_STEM, ROUGELSUM_STEM = (
    _metric(*each, stems=True) for each in _METRICS
)
