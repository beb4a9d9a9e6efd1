"""meteor: METEOR as nltk computes it, with WordNet's synonyms."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from assay.metrics.contract import PERCENT, AutoMetric, target_of
from assay.metrics.stemmer import stem
from assay.metrics.wordnet import synonyms
from assay.metrics.words import lower_words
from assay.records import Prediction, Sample

_ALPHA, _BETA, _GAMMA = 0.9, 3.0, 0.5

Word = tuple[int, str]
"""A word after its place in its text."""
Places = dict[str, list[int]]
"""Where in the target words stand that have no match yet, in order."""
Matches = dict[int, int]
"""The places of matched words in the output, each with its match's in the target."""


def meteor(sample: Sample, prediction: Prediction) -> float:
    """Return METEOR (Lavie and Agarwal 2007) in percent, 0 to 100.

    Equal to nltk 3.10's `meteor_score([target], output)` over `words`, alpha 0.9, beta 3,
    gamma 0.5, matched by word, then by Porter stem, then by WordNet 3.0 synonyms of the stem.
    Identical texts of m words score 100 (1 - 0.5 / m^3). English is what its stems and synonyms
    know. Raises Unscored("no_target").
    """
    target = target_of(sample)
    return 100 * meteor_score(lower_words(prediction.output), lower_words(target))


def meteor_score(output: Sequence[str], target: Sequence[str]) -> float:
    """Return METEOR of two lists of lower-case words, 0 to 1."""
    matches = _align(output, target)
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(output), len(matches) / len(target)
    mean = (precision * recall) / (_ALPHA * precision + (1 - _ALPHA) * recall)
    penalty = _GAMMA * (_chunks(matches) / len(matches)) ** _BETA
    score: float = (1 - penalty) * mean
    return score


def _align(output: Sequence[str], target: Sequence[str]) -> Matches:
    """Match words one to one: equal ones first, then equal stems, then synonyms of stems. Within
    a stage the last words come first, and each takes the last word left that it can match."""
    from_last = zip(reversed(range(len(output))), reversed(output), strict=True)
    matches, left = _match_equal(from_last, _places(enumerate(target)))
    taken = set(matches.values())
    free = _places((at, stem(word)) for at, word in enumerate(target) if at not in taken)
    stems, left = _match_equal(((at, stem(word)) for at, word in left), free)
    return matches | stems | _match_synonyms(left, free)


def _match_equal(left: Iterable[Word], free: Places) -> tuple[Matches, list[Word]]:
    """Take equal words out of `free`; return the matches, and what is left over of `left`."""
    matches, rest = {}, []
    for place, word in left:
        if held := free.get(word):
            matches[place] = held.pop()
        else:
            rest.append((place, word))
    return matches, rest


def _match_synonyms(left: Iterable[Word], free: Places) -> Matches:
    matches = {}
    names = {name for name, held in free.items() if held}
    for place, word in left:
        if common := names & _synonyms(word):
            name = max(common, key=lambda name: free[name][-1])
            matches[place] = free[name].pop()
            if not free[name]:
                names.remove(name)
    return matches


def _places(numbered: Iterable[Word]) -> Places:
    places: Places = {}
    for place, word in numbered:
        places.setdefault(word, []).append(place)
    return places


def _chunks(matches: Matches) -> int:
    """Return how many runs of matches are adjacent in both texts: they begin where the word before
    has no match, or one that is not just before in the target."""
    return sum(matches.get(left - 1, -2) != right - 1 for left, right in matches.items())


@functools.lru_cache(maxsize=1 << 16)
def _synonyms(word: str) -> frozenset[str]:
    return synonyms(word) | {word}


METEOR = AutoMetric(
    name="meteor",
    direction="higher",
    scale=PERCENT,
    meaning="METEOR: words matched by form, stem and WordNet synonym, with a penalty for scattered "
    "matches, 0 to 100.",
    group="similarity",
    function=meteor,
    package="nltk",
    reference="nltk 3.10 `meteor_score`, to 1e-9",
    usual=True,
)
