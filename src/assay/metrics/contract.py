"""What a metric is: a record that says all about it, with the function that computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from assay.metrics.task import TaskSettings
from assay.records import MetricSpec, Prediction, Sample

PERCENT = (0.0, 100.0)

MetricFunction = Callable[[Sample, Prediction], float]
"""Return one finite number for one prediction, or raise Unscored."""


@dataclass(frozen=True, kw_only=True)
class CorpusFunction:
    """One number over a corpus: `counts` of an output and its target are summed over all samples;
    `score` makes of the sums the number; `signature` says exactly what was computed."""

    counts: Callable[[str, str], list[int]]
    score: Callable[[Sequence[int]], float]
    signature: Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class TaskFunction:
    """A function of one sample that depends on what the task is: `bind` makes it of the settings,
    and raises SettingsError where they lack what it needs."""

    bind: Callable[[TaskSettings], MetricFunction]


@dataclass(frozen=True, kw_only=True)
class LabelFunction:
    """One number over the labels of a side: the mean over the labels of TP (t + a) / (t T + a A),
    of the T targets and A answers that have the label and the TP of both, with `targets` for t and
    `answers` for a. Whoever reads labels.jsonl makes the number of it, with its interval."""

    targets: int
    answers: int


@dataclass(frozen=True, kw_only=True)
class AutoMetric(MetricSpec):
    """A metric of outputs against their samples, and the `function` that computes it: of one
    sample and the prediction for it, or over the corpus (then its kind is "total"), or over the
    labels of all samples.

    `package` is what has to be installed for it, several with spaces between them, "" for nothing;
    Assay's own `extra` brings it for a metric that comes with Assay. `reference` is the
    implementation that it equals. `usual` ones are computed unless the settings say otherwise.
    """

    function: MetricFunction | CorpusFunction | TaskFunction | LabelFunction
    package: str = ""
    extra: str = "metrics"
    reference: str = ""
    usual: bool = False

    @property
    def spec(self) -> MetricSpec:
        """What it is, without how it is computed."""
        return MetricSpec(**{field.name: getattr(self, field.name) for field in fields(MetricSpec)})


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
