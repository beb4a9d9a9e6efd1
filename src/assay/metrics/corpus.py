"""Corpus metrics, sacreBLEU's: numbers that are no means of scores.

Each sample contributes counts; they are summed over the corpus and scored once. So a total has no
per-sample part, and it carries the signature that says exactly what was computed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from assay.errors import MissingExtraError
from assay.metrics.chrf import chrf_counts, chrf_score
from assay.metrics.contract import PERCENT, AutoMetric, CorpusFunction
from assay.metrics.corpus_bleu import bleu_counts, bleu_score, words_13a, words_zh


def _sacrebleu(name: str, **options: str) -> str:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtraError("sacrebleu", "metrics") from None
    metric: Any = getattr(metrics, name)(**options)
    metric.corpus_score(["-"], [["-"]])
    return str(metric.get_signature())


def _metric(name: str, title: str, function: CorpusFunction) -> AutoMetric:
    return AutoMetric(
        name=name,
        direction="higher",
        kind="total",
        scale=PERCENT,
        meaning=f"sacreBLEU's {title}: counts are summed over all samples and scored once, so "
        "there is no interval, 0 to 100.",
        group="similarity",
        function=function,
        package="sacrebleu",
        reference="sacreBLEU 2.6, with signature",
        usual=True,
    )


CORPUS_BLEU = _metric(
    "corpus-bleu",
    "corpus BLEU (13a)",
    CorpusFunction(
        counts=partial(bleu_counts, words_13a),
        score=bleu_score,
        signature=partial(_sacrebleu, "BLEU", tokenize="13a"),
    ),
)
CORPUS_BLEU_ZH = _metric(
    "corpus-bleu-zh",
    "corpus BLEU for Chinese",
    CorpusFunction(
        counts=partial(bleu_counts, words_zh),
        score=bleu_score,
        signature=partial(_sacrebleu, "BLEU", tokenize="zh"),
    ),
)
CORPUS_CHRF = _metric(
    "corpus-chrf",
    "corpus chrF2",
    CorpusFunction(counts=chrf_counts, score=chrf_score, signature=partial(_sacrebleu, "CHRF")),
)
