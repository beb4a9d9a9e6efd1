"""Every metric by name: the built-in ones, and users' own through an entry point."""

from __future__ import annotations

import difflib
import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from assay.errors import SettingsError
from assay.metrics.bleu_4 import bleu_4
from assay.metrics.chrf import chrf
from assay.metrics.contract import MetricFunction
from assay.metrics.corpus import CORPUS_METRICS, CorpusMetric
from assay.metrics.distinct import distinct_1, distinct_2
from assay.metrics.exact_match import exact_match
from assay.metrics.language_mismatch import language_mismatch
from assay.metrics.lengths import empty, length_ratio, truncated
from assay.metrics.meteor import meteor
from assay.metrics.rouge_chinese import rouge_1, rouge_2, rouge_l
from assay.metrics.rouge_score import rouge1, rouge2, rougel, rougelsum, stemmed
from assay.metrics.token_f1 import token_f1
from assay.metrics.wordnet import REMEDY as WORDNET_REMEDY
from assay.metrics.wordnet import find_wordnet

METRICS: dict[str, MetricFunction] = {
    "bleu-4": bleu_4,
    "rouge-1": rouge_1,
    "rouge-2": rouge_2,
    "rouge-l": rouge_l,
    "meteor": meteor,
    "chrf": chrf,
    "rouge1": rouge1,
    "rouge2": rouge2,
    "rougeL": rougel,
    "rougeLsum": rougelsum,
    "rouge1-stem": stemmed(rouge1),
    "rouge2-stem": stemmed(rouge2),
    "rougeL-stem": stemmed(rougel),
    "rougeLsum-stem": stemmed(rougelsum),
    "exact-match": exact_match,
    "token-f1": token_f1,
    "length-ratio": length_ratio,
    "empty": empty,
    "truncated": truncated,
    "distinct-1": distinct_1,
    "distinct-2": distinct_2,
    "language-mismatch": language_mismatch,
}

DIAGNOSTICS = (
    "length-ratio",
    "empty",
    "truncated",
    "distinct-1",
    "distinct-2",
    "language-mismatch",
)
"""The metrics that say how outputs look, not how good they are."""

DEFAULT = (
    *("bleu-4", "rouge-1", "rouge-2", "rouge-l", "meteor", "chrf", "exact-match", "token-f1"),
    *DIAGNOSTICS,
    *CORPUS_METRICS,
)

ENTRY_POINT_GROUP = "assay.metrics"

_JIEBA = ("rouge-1", "rouge-2", "rouge-l")
_NLTK = ("meteor", "rouge1-stem", "rouge2-stem", "rougeL-stem", "rougeLsum-stem")
_PACKAGES = {
    **dict.fromkeys(_JIEBA, "jieba"),
    **dict.fromkeys(_NLTK, "nltk"),
    **dict.fromkeys(CORPUS_METRICS, "sacrebleu"),
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The metrics of one run by name: those with a score for each sample, and the corpus'."""

    functions: Mapping[str, MetricFunction]
    corpus: Mapping[str, CorpusMetric]


def select(names: tuple[str, ...]) -> Selection:
    """Return the named metrics, built-in or from the entry point group "assay.metrics".
    Raises SettingsError for an unknown name."""
    per_sample = [name for name in names if name not in CORPUS_METRICS]
    return Selection(
        functions={name: METRICS.get(name) or _load(name) for name in per_sample},
        corpus={name: CORPUS_METRICS[name] for name in names if name in CORPUS_METRICS},
    )


def unavailable() -> dict[str, str]:
    """Return the metrics that this machine cannot compute, each with its remedy."""
    missing = {
        name: "pip install 'assay[metrics]'"
        for name, package in _PACKAGES.items()
        if importlib.util.find_spec(package) is None
    }
    if "meteor" not in missing and find_wordnet() is None:
        missing["meteor"] = WORDNET_REMEDY
    return missing


@functools.cache
def _load(name: str) -> MetricFunction:
    own = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in own:
        known = sorted({*METRICS, *CORPUS_METRICS, *own})
        close = difflib.get_close_matches(name, known, n=1)
        raise SettingsError(
            f"metrics.metrics: {name!r} is not a metric",
            f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}",
        )
    try:
        function: MetricFunction = own[name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"metrics.metrics: {name!r} cannot be loaded from {own[name].value}: {error}",
            "Correct the entry point or install its package again",
        ) from None
    return function
