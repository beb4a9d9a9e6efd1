"""Diagnostics of repetition: distinct-1, distinct-2."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from itertools import pairwise

from assay.metrics.contract import PERCENT, AutoMetric, Unscored
from assay.metrics.words import lower_words
from assay.records import Prediction, Sample


def distinct_1(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return how many of the output's words are distinct, in percent, over 0 to 100 (Li et al.
    2016, "A diversity-promoting objective function"): low is repetitive. Words as in
    `assay.metrics.words`, in lower case. Raises Unscored("no_words")."""
    return _distinct(lower_words(prediction.output))


def distinct_2(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return how many of the output's pairs of adjacent words are distinct: as `distinct_1`.
    Raises Unscored("no_words") for fewer than two words."""
    return _distinct(list(pairwise(lower_words(prediction.output))))


def _distinct(items: Collection[Hashable]) -> float:
    if not items:
        raise Unscored("no_words")
    return 100 * len(set(items)) / len(items)


DISTINCT_1 = AutoMetric(
    name="distinct-1",
    direction="neither",
    scale=PERCENT,
    meaning="Share of an answer's words that are distinct: low is repetitive.",
    group="diagnostic",
    function=distinct_1,
    usual=True,
)


DISTINCT_2 = AutoMetric(
    name="distinct-2",
    direction="neither",
    scale=PERCENT,
    meaning="Share of an answer's pairs of words that are distinct.",
    group="diagnostic",
    function=distinct_2,
    usual=True,
)
