"""What a metric is: a function of one sample and the prediction for it."""

from __future__ import annotations

from collections.abc import Callable

from assay.records import Prediction, Sample

MetricFunction = Callable[[Sample, Prediction], float]
"""Return one finite number for one prediction, or raise Unscored."""


class Unscored(Exception):  # noqa: N818 - an outcome, not an error
    """This metric has no value for this sample; `cause` is one stable word that is counted."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def target_of(sample: Sample) -> str:
    """Return the sample's target. Raises Unscored("no_target") where it is empty or blank."""
    if not sample.target.strip():
        raise Unscored("no_target")
    return sample.target
