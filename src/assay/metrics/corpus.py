"""Corpus metrics, sacreBLEU's: numbers that are no means of scores.

Each sample contributes counts; they are summed over the corpus and scored once. So a total has no
per-sample part, and it carries the signature that says exactly what was computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from assay.errors import MissingExtraError
from assay.metrics.chrf import chrf_counts, chrf_score
from assay.metrics.corpus_bleu import bleu_counts, bleu_score, words_13a, words_zh


@dataclass(frozen=True, kw_only=True)
class CorpusMetric:
    """`counts` of an output and its target are summed over the corpus; `score` makes of the sums
    the number, 0 to 100; `signature` is sacreBLEU's for it."""

    counts: Callable[[str, str], list[int]]
    score: Callable[[Sequence[int]], float]
    signature: Callable[[], str]


def _sacrebleu(name: str, **options: str) -> str:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtraError("sacrebleu", "metrics") from None
    metric: Any = getattr(metrics, name)(**options)
    metric.corpus_score(["-"], [["-"]])
    return str(metric.get_signature())


CORPUS_METRICS: dict[str, CorpusMetric] = {
    "corpus-bleu": CorpusMetric(
        counts=partial(bleu_counts, words_13a),
        score=bleu_score,
        signature=partial(_sacrebleu, "BLEU", tokenize="13a"),
    ),
    "corpus-bleu-zh": CorpusMetric(
        counts=partial(bleu_counts, words_zh),
        score=bleu_score,
        signature=partial(_sacrebleu, "BLEU", tokenize="zh"),
    ),
    "corpus-chrf": CorpusMetric(
        counts=chrf_counts, score=chrf_score, signature=partial(_sacrebleu, "CHRF")
    ),
}
