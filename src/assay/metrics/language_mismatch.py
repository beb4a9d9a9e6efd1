"""Diagnostic: language-mismatch."""

from __future__ import annotations

from assay.metrics.contract import PERCENT, AutoMetric, Unscored, target_of
from assay.records import Prediction, Sample
from assay.script import script_of


def language_mismatch(sample: Sample, prediction: Prediction) -> float:
    """Return 100 where the output is written in another script than the target, else 0: the mean
    is a percentage.

    The script is that of most letters (Latin, Chinese, Japanese, Hangul, Cyrillic, Arabic, ...);
    text with one kana in ten letters is Japanese. Languages that share a script are not told
    apart. Raises Unscored("no_target"), or Unscored("no_letters") where either has no letters.
    """
    output, target = script_of(prediction.output), script_of(target_of(sample))
    if not output or not target:
        raise Unscored("no_letters")
    return 0.0 if output == target else 100.0


LANGUAGE_MISMATCH = AutoMetric(
    name="language-mismatch",
    direction="lower",
    kind="rate",
    scale=PERCENT,
    meaning="Share of answers in another script than the target's, 0 to 100.",
    group="diagnostic",
    function=language_mismatch,
    usual=True,
)
