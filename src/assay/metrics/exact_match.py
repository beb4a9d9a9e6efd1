"""exact-match: SQuAD's."""

from __future__ import annotations

from assay.metrics.contract import PERCENT, AutoMetric, target_of
from assay.metrics.squad import answer_words
from assay.records import Prediction, Sample


def exact_match(sample: Sample, prediction: Prediction) -> float:
    """Return 100 where output and target are equal after SQuAD 1.1's normalisation (lower case,
    no ASCII punctuation, no a, an, the, single spaces), else 0. Raises Unscored("no_target")."""
    return 100.0 * (answer_words(prediction.output) == answer_words(target_of(sample)))


EXACT_MATCH = AutoMetric(
    name="exact-match",
    direction="higher",
    kind="rate",
    scale=PERCENT,
    meaning="Share of answers that equal the target, but for case, punctuation and articles "
    "(SQuAD), 0 to 100.",
    group="similarity",
    function=exact_match,
    reference="SQuAD 1.1",
    usual=True,
)
