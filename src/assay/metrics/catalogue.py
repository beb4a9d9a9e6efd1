"""Every metric that comes with Assay, by name: a new one is a file and its line here.

What a metric is and how it is computed is said in its own file, once. The default, the report's
glossary, the docs' table, directions, intervals and needed packages all come from here.
"""

from __future__ import annotations

from assay.metrics.bertscore import BERTSCORE
from assay.metrics.bleu_4 import BLEU_4
from assay.metrics.calls import CALL_ARGUMENTS, CALL_MATCH, CALL_NAME
from assay.metrics.choice import CHOICE_MATCH
from assay.metrics.chrf import CHRF
from assay.metrics.code import CODE_COMPILES
from assay.metrics.contract import AutoMetric
from assay.metrics.corpus import CORPUS_BLEU, CORPUS_BLEU_ZH, CORPUS_CHRF
from assay.metrics.distinct import DISTINCT_1, DISTINCT_2
from assay.metrics.exact_match import EXACT_MATCH
from assay.metrics.json_schema import JSON_SCHEMA
from assay.metrics.json_text import JSON_FIELDS, JSON_VALID
from assay.metrics.labels import LABEL_ACCURACY, MACRO_F1, MACRO_PRECISION, MACRO_RECALL
from assay.metrics.language_mismatch import LANGUAGE_MISMATCH
from assay.metrics.lengths import EMPTY, LENGTH_RATIO, TRUNCATED
from assay.metrics.meteor import METEOR
from assay.metrics.number import NUMBER_MATCH
from assay.metrics.pattern import PATTERN_MATCH
from assay.metrics.rouge_chinese import ROUGE_1, ROUGE_2, ROUGE_L
from assay.metrics.rouge_score import (
    ROUGE1,
    ROUGE1_STEM,
    ROUGE2,
    ROUGE2_STEM,
    ROUGEL,
    ROUGEL_STEM,
    ROUGELSUM,
    ROUGELSUM_STEM,
)
from assay.metrics.token_f1 import TOKEN_F1

CATALOGUE: dict[str, AutoMetric] = {
    metric.name: metric
    for metric in (
        BLEU_4,
        *(ROUGE_1, ROUGE_2, ROUGE_L),
        METEOR,
        CHRF,
        *(ROUGE1, ROUGE2, ROUGEL, ROUGELSUM),
        *(ROUGE1_STEM, ROUGE2_STEM, ROUGEL_STEM, ROUGELSUM_STEM),
        EXACT_MATCH,
        TOKEN_F1,
        BERTSCORE,
        *(LABEL_ACCURACY, MACRO_F1, MACRO_PRECISION, MACRO_RECALL),
        *(NUMBER_MATCH, PATTERN_MATCH, CHOICE_MATCH),
        *(JSON_VALID, JSON_SCHEMA, JSON_FIELDS),
        *(CALL_NAME, CALL_ARGUMENTS, CALL_MATCH),
        CODE_COMPILES,
        *(LENGTH_RATIO, EMPTY, TRUNCATED),
        *(DISTINCT_1, DISTINCT_2),
        LANGUAGE_MISMATCH,
        *(CORPUS_BLEU, CORPUS_BLEU_ZH, CORPUS_CHRF),
    )
}

DEFAULT = tuple(name for name, metric in CATALOGUE.items() if metric.usual)
DIAGNOSTICS = tuple(name for name, metric in CATALOGUE.items() if metric.group == "diagnostic")
"""The metrics that say how outputs look, not how good they are."""
