"""chrf: sacreBLEU's sentence chrF."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from assay.metrics.contract import PERCENT, AutoMetric, target_of
from assay.metrics.ngrams import shared_ngrams
from assay.records import Prediction, Sample

_ORDER = 6
_BETA_SQUARED = 4


def chrf(sample: Sample, prediction: Prediction) -> float:
    """Return chrF2 in percent, 0 to 100: F-score (beta 2) of character n-grams, n = 1 to 6, spaces
    left out (Popović 2015). Equal to sacreBLEU 2.6's `sentence_chrf` with its defaults.
    Raises Unscored("no_target")."""
    return chrf_score(chrf_counts(prediction.output, target_of(sample)))


@functools.lru_cache(maxsize=1)
def chrf_counts(output: str, target: str) -> list[int]:
    """Return, for n = 1 to 6, the number of n-grams in the output (0 where the target has none),
    in the target and in both: what a corpus' chrF is summed from."""
    output, target = "".join(output.split()), "".join(target.split())
    counts = []
    for n, shared in enumerate(shared_ngrams(output, target, _ORDER)):
        wanted = max(0, len(target) - n)
        counts += [max(0, len(output) - n) if wanted else 0, wanted, shared]
    return counts


def chrf_score(counts: Sequence[int]) -> float:
    """Return chrF2, 0 to 100, from `chrf_counts` of a sentence or their sums over a corpus: the
    means of precision and recall over the orders that both texts have."""
    orders = [counts[at : at + 3] for at in range(0, len(counts), 3)]
    held = [(given, wanted, shared) for given, wanted, shared in orders if given and wanted]
    if not held:
        return 0.0
    precision = sum(shared / given for given, _, shared in held) / len(held)
    recall = sum(shared / wanted for _, wanted, shared in held) / len(held)
    if not precision + recall:
        return 0.0
    score = (1 + _BETA_SQUARED) * precision * recall
    return 100 * score / (_BETA_SQUARED * precision + recall)


CHRF = AutoMetric(
    name="chrf",
    direction="higher",
    scale=PERCENT,
    meaning="chrF2: F-score over runs of 1 to 6 characters, as sacreBLEU computes it, 0 to 100.",
    group="similarity",
    function=chrf,
    reference="sacreBLEU 2.6 `sentence_chrf`",
    usual=True,
)
