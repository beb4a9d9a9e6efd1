"""The vocabulary: what the stages hand to each other, one record a line of JSON.

    dataset.jsonl      Sample         what to answer, and the answer that is wanted
    predictions.jsonl  Prediction     what a model answered
    likelihood.jsonl   Likelihood     how likely the model finds the target of one sample
    scores.jsonl       Score          what the auto-metrics say of one prediction
    totals.jsonl       Total          what they say of all predictions of a side at once
    labels.jsonl       LabelPair       which labels they read in target and output of one sample
    verdicts.jsonl     Verdict        what the judge says of one prediction
    specs.jsonl        MetricSpec     what each of the auto-metrics is
    metrics.json       Metric, Comparison   aggregates over one side, and between the two
    calibration.json   Agreement      how far the judge agrees with people

Rows of one sample carry the same `id` everywhere. A value that could not be had is absent from
`values` and named in `unscored` with its cause; no number ever stands for a failure.
"""

from assay.records.agreement import Agreement, Corrected, Measure
from assay.records.generation import AnswersFile, Decoding, Generation, Likeness, Origin, Served
from assay.records.manifest import ModelManifest
from assay.records.metric import Comparison, Direction, Group, Kind, Metric, MetricSpec
from assay.records.prediction import (
    FAILURES,
    SIDES,
    THOUGHT_UNENDED,
    UNANSWERED,
    UNKNOWN_WORD,
    Case,
    Failure,
    Prediction,
    Side,
    as_wanted,
)
from assay.records.sample import ENTRY, PROMPT_LENGTH, SCRIPT, Message, Role, Sample
from assay.records.score import LabelPair, Likelihood, Score, Total, Verdict

__all__ = [
    "ENTRY",
    "FAILURES",
    "PROMPT_LENGTH",
    "SCRIPT",
    "SIDES",
    "THOUGHT_UNENDED",
    "UNANSWERED",
    "UNKNOWN_WORD",
    "Agreement",
    "AnswersFile",
    "Case",
    "Comparison",
    "Corrected",
    "Decoding",
    "Direction",
    "Failure",
    "Generation",
    "Group",
    "Kind",
    "LabelPair",
    "Likelihood",
    "Likeness",
    "Measure",
    "Message",
    "Metric",
    "MetricSpec",
    "ModelManifest",
    "Origin",
    "Prediction",
    "Role",
    "Sample",
    "Score",
    "Served",
    "Side",
    "Total",
    "Verdict",
    "as_wanted",
]
