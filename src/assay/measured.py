"""Which metrics a run has by its configuration, before it has run."""

from __future__ import annotations

from collections.abc import Mapping

from assay import judge as judging
from assay import metrics as measuring
from assay.config import Config
from assay.llamafactory.totals import LIKELIHOOD
from assay.records import MetricSpec

_JUDGE = "Set mode: both, with a judge"


def specs(config: Config) -> tuple[MetricSpec, ...]:
    """Return what each metric of a run is. Raises SettingsError and JudgeError for a metric or a
    rubric that does not exist."""
    computed = measuring.specs(config.metrics) if config.auto else ()
    return (*computed, *judged(config), *LIKELIHOOD)


def judged(config: Config) -> tuple[MetricSpec, ...]:
    """Return what each of the judge's metrics is that a gate can ask for. Raises JudgeError."""
    if not config.judged or config.judge is None:
        return ()
    pairwise = (judging.PAIRWISE[0],) if config.judge.pairwise else ()
    return (*judging.specs_of(config.judge.rubric), *pairwise)


def elsewhere(config: Config) -> Mapping[str, str]:
    """Return the metrics that another configuration would have, each with what to change."""
    computing = "Add it to metrics.metrics" if config.auto else "Set mode: both"
    pairing = "Set judge.pairwise: true" if config.judged else _JUDGE
    remedies = {**dict.fromkeys(measuring.CATALOGUE, computing), judging.WIN_RATE: pairing}
    if not config.judged:
        remedies |= dict.fromkeys(judging.DIMENSIONS, _JUDGE)
    own = {spec.name for spec in specs(config)}
    return {
        name: f"{remedy}, or take it out of the gate"
        for name, remedy in remedies.items()
        if name not in own
    }
