"""Diagnostics of length: length-ratio, empty, truncated."""

from __future__ import annotations

from assay.metrics.contract import PERCENT, AutoMetric, Unscored, target_of
from assay.records import Prediction, Sample

END_UNKNOWN = "end_unknown"


def length_ratio(sample: Sample, prediction: Prediction) -> float:
    """Return the length of the output over that of the target, in characters: 1 is the same, and
    there is no upper bound. Raises Unscored("no_target")."""
    return len(prediction.output) / len(target_of(sample))


def empty(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return 100 where the output is empty or blank, else 0: the mean is a percentage."""
    return 0.0 if prediction.output.strip() else 100.0


def truncated(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return 100 where the output was cut at max_new_tokens, else 0: the mean is a percentage.
    Raises Unscored("end_unknown") where nothing says how it ended."""
    if prediction.finish == "unknown":
        raise Unscored(END_UNKNOWN)
    return 100.0 if prediction.finish == "length" else 0.0


LENGTH_RATIO = AutoMetric(
    name="length-ratio",
    direction="neither",
    meaning="Length of the answer over that of the target, in characters: 1 is the same.",
    group="diagnostic",
    function=length_ratio,
    usual=True,
)


EMPTY = AutoMetric(
    name="empty",
    direction="lower",
    kind="rate",
    scale=PERCENT,
    meaning="Share of answers that are empty or blank, 0 to 100.",
    group="diagnostic",
    function=empty,
    usual=True,
)


TRUNCATED = AutoMetric(
    name="truncated",
    direction="lower",
    kind="rate",
    scale=PERCENT,
    meaning="Share of answers that were cut at max_new_tokens, 0 to 100.",
    group="diagnostic",
    function=truncated,
    usual=True,
)
