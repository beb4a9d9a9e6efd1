"""token-f1: SQuAD's F1."""

from __future__ import annotations

from collections import Counter

from assay.metrics.contract import PERCENT, AutoMetric, target_of
from assay.metrics.squad import answer_words
from assay.records import Prediction, Sample


def token_f1(sample: Sample, prediction: Prediction) -> float:
    """Return the F1 of the words that output and target share, in percent, 0 to 100.

    Equal to SQuAD 1.1's F1 (words between spaces after its normalisation, see `exact_match`),
    except that each ideograph and kana is a word, where SQuAD takes a whole Chinese sentence for
    one. Where one text has no words: 100 if the other has none either, else 0.
    Raises Unscored("no_target").
    """
    output, target = answer_words(prediction.output), answer_words(target_of(sample))
    if not output or not target:
        return 100.0 * (output == target)
    shared = (Counter(output) & Counter(target)).total()
    return 100 * 2 * shared / (len(output) + len(target))


TOKEN_F1 = AutoMetric(
    name="token-f1",
    direction="higher",
    scale=PERCENT,
    meaning="F1 of the words that answer and target share (SQuAD), 0 to 100.",
    group="similarity",
    function=token_f1,
    reference="SQuAD 1.1 (text without ideographs)",
    usual=True,
)
