"""What each metric is, in one line, with its scale: a number explains itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assay import judge as judging
from assay import metrics as measuring
from assay.llamafactory.totals import LIKELIHOOD
from assay.records import Group, MetricSpec
from assay.report.run import EvaluatedRun, SideRun

_BUILT_IN: tuple[MetricSpec, ...] = (
    *judging.PAIRWISE,
    *(metric.spec for metric in measuring.CATALOGUE.values()),
    *LIKELIHOOD,
)
_ORDER: tuple[Group, ...] = ("pairwise", "task", "similarity", "likelihood", "diagnostic")
_SORTED = sorted(_BUILT_IN, key=lambda spec: _ORDER.index(spec.group))
_RANKS = {
    name: place
    for place, name in enumerate([*judging.DIMENSIONS, *(spec.name for spec in _SORTED)])
}

TERMS = (
    (
        "95% interval",
        "Where the true mean plausibly lies, given these samples: as wide as bootstrap (BCa) and "
        "Student's t, wider where few scores or pairs differ; Wilson's for a share.",
    ),
    (
        "Difference",
        "Candidate minus baseline on the samples that both have a score for, paired sample by "
        "sample; so it is not quite the difference of the two means where one side lacks a score. "
        "A difference is shown where its whole interval lies on one side of 0, and still does "
        "with all metrics tested at once.",
    ),
    (
        "Smallest detectable",
        "The minimum detectable effect: the smallest true difference that this many samples "
        "reveal in four runs of five. A smaller one can hide here.",
    ),
    (
        "Unscored",
        "A sample without a value, by cause. It is left out of the mean, never counted as 0.",
    ),
)


def specs_of(run: EvaluatedRun) -> Mapping[str, MetricSpec]:
    """Return what each metric of a run is, by name: what its specs.jsonl say, else what comes with
    Assay, else what the judge's rubric says. One that nobody knows has no direction."""
    specs = [spec for side in run.sides for spec in (*_unknown(side), *_judged(run, side))]
    specs += _BUILT_IN
    specs += [spec for side in run.sides for spec in side.specs]
    return {spec.name: spec for spec in specs}


def rank(name: str) -> int:
    """Return the place of `name` in a table: the order here, what is not here last."""
    return _RANKS.get(name, len(_RANKS))


def _unknown(side: SideRun) -> Iterator[MetricSpec]:
    for name in (*side.scores.values, *(total.name for total in side.totals)):
        yield MetricSpec(name=name, direction="unknown")


def _judged(run: EvaluatedRun, side: SideRun) -> tuple[MetricSpec, ...]:
    names = {**side.verdicts.values, **(side.combined.values if side.combined else {})}
    return judging.dimension_specs(names, run.scale, side.judge.directions if side.judge else {})
