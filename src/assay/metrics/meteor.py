"""meteor: METEOR as nltk computes it, with WordNet's synonyms."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

from assay.metrics.contract import Unscored, target_of
from assay.metrics.stemmer import stem
from assay.metrics.wordnet import find_wordnet
from assay.metrics.wordnet import synonyms as synonyms_in
from assay.metrics.words import words
from assay.records import Prediction, Sample

_ALPHA, _BETA, _GAMMA = 0.9, 3.0, 0.5

Word = tuple[int, str]
Match = tuple[int, int]


def meteor(sample: Sample, prediction: Prediction) -> float:
    """Return METEOR (Lavie and Agarwal 2007) in percent, 0 to 100.

    Equal to nltk 3.10's `meteor_score([target], output)` over `words`, alpha 0.9, beta 3,
    gamma 0.5, matched by word, then by Porter stem, then by WordNet 3.0 synonyms of the stem.
    Identical texts of m words score 100 (1 - 0.5 / m^3). English is what its stems and synonyms
    know. Raises Unscored("no_target"), or Unscored("wordnet_missing") where the files are absent.
    """
    target = target_of(sample)
    if find_wordnet() is None:
        raise Unscored("wordnet_missing")
    output_words = [word.lower() for word in words(prediction.output)]
    target_words = [word.lower() for word in words(target)]
    return 100 * meteor_score(output_words, target_words)


def meteor_score(output: Sequence[str], target: Sequence[str]) -> float:
    """Return METEOR of two lists of lower-case words, 0 to 1. Needs `find_wordnet()`."""
    matches = _align(output, target)
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(output), len(matches) / len(target)
    mean = (precision * recall) / (_ALPHA * precision + (1 - _ALPHA) * recall)
    penalty = _GAMMA * (_chunks(matches) / len(matches)) ** _BETA
    score: float = (1 - penalty) * mean
    return score


def _align(output: Sequence[str], target: Sequence[str]) -> list[Match]:
    """Match words one to one: equal ones first, then equal stems, then synonyms of stems. Within
    a stage the last words come first, and each takes the last word left that it can match."""
    left, right = list(enumerate(output)), list(enumerate(target))
    matches, left, right = _match_equal(left, right)
    left = [(place, stem(word)) for place, word in left]
    right = [(place, stem(word)) for place, word in right]
    stems, left, right = _match_equal(left, right)
    return sorted(matches + stems + _match_synonyms(left, right))


def _match_equal(left: list[Word], right: list[Word]) -> tuple[list[Match], list[Word], list[Word]]:
    """Return the matches of equal words, and what is left over of both."""
    places = _places(right)
    matches, rest = [], []
    for place, word in reversed(left):
        if held := places.get(word):
            matches.append((place, held.pop()))
        else:
            rest.append((place, word))
    taken = {place for _, place in matches}
    return matches, rest[::-1], [word for word in right if word[0] not in taken]


def _match_synonyms(left: list[Word], right: list[Word]) -> list[Match]:
    places = _places(right)
    matches = []
    for place, word in reversed(left):
        free = [held for name in places.keys() & _synonyms(word) if (held := places[name])]
        if free:
            matches.append((place, max(free, key=_last).pop()))
    return matches


def _places(numbered: list[Word]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, word in numbered:
        places.setdefault(word, []).append(place)
    return places


def _last(places: list[int]) -> int:
    return places[-1]


def _chunks(matches: Sequence[Match]) -> int:
    """Return how many runs of matches are adjacent in both texts."""
    return 1 + sum(after != (left + 1, right + 1) for (left, right), after in pairwise(matches))


@functools.lru_cache(maxsize=1 << 16)
def _synonyms(word: str) -> frozenset[str]:
    return synonyms_in(find_wordnet() or (), word) | {word}
