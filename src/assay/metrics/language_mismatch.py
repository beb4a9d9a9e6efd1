"""Diagnostic: language-mismatch."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter

from assay.metrics.contract import PERCENT, AutoMetric, Unscored, target_of
from assay.records import Prediction, Sample


def language_mismatch(sample: Sample, prediction: Prediction) -> float:
    """Return 100 where the output is written in another script than the target, else 0: the mean
    is a percentage.

    The script is that of most letters (Latin, Chinese, Japanese, Hangul, Cyrillic, Arabic, ...);
    text with one kana in ten letters is Japanese. Languages that share a script are not told
    apart. Raises Unscored("no_target"), or Unscored("no_letters") where either has no letters.
    """
    output, target = script(prediction.output), script(target_of(sample))
    if not output or not target:
        raise Unscored("no_letters")
    return 0.0 if output == target else 100.0


def script(text: str) -> str:
    """Return the script of most letters, as Unicode names it ("LATIN", "CJK", "HANGUL", ...),
    "JAPANESE" for a mix with kana, "" where there are no letters."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        counts[_script_of(letter)] += count
    del counts[""]
    kana = counts["HIRAGANA"] + counts["KATAKANA"]
    if kana and kana + counts["CJK"] > counts.total() / 2 and kana >= counts.total() / 10:
        return "JAPANESE"
    return max(counts, key=counts.__getitem__) if counts.total() else ""


@functools.lru_cache(maxsize=1 << 14)
def _script_of(letter: str) -> str:
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").partition(" ")[0]


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
