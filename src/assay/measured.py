"""Which metrics a run has by its configuration, before it has run."""

from __future__ import annotations

from collections.abc import Mapping

from assay import judge as judging
from assay import metrics as measuring
from assay import served
from assay.config import Config
from assay.llamafactory.totals import LIKELIHOOD
from assay.records import MetricSpec
from assay.scoring import AUTO_METRICS, JUDGING, Scorer

_JUDGE = "Set mode: both, with a judge"


def specs(config: Config) -> tuple[MetricSpec, ...]:
    """Return what each metric of a run is. Raises SettingsError and JudgeError for a metric or a
    rubric that does not exist."""
    computed = measuring.specs(config.metrics) if _scored_by(AUTO_METRICS, config) else ()
    lacking = served.served(config.model, config.baseline)
    likelihood = LIKELIHOOD if config.generate.evaluate_loss and not lacking else ()
    return (*computed, *judged(config), *likelihood)


def judged(config: Config) -> tuple[MetricSpec, ...]:
    """Return what each of the judge's metrics is that a gate can ask for. Raises JudgeError."""
    if config.judge is None or not _scored_by(JUDGING, config):
        return ()
    pairwise = (judging.PAIRWISE[0],) if config.judge.pairwise else ()
    return (*judging.specs_of(config.judge.rubric), *pairwise)


def elsewhere(config: Config) -> Mapping[str, str]:
    """Return the metrics that another configuration would have, each with what to change."""
    auto, judging_too = _scored_by(AUTO_METRICS, config), _scored_by(JUDGING, config)
    computing = "Add it to metrics.metrics" if auto else "Set mode: both"
    pairing = "Set judge.pairwise: true" if judging_too else _JUDGE
    remedies = {**dict.fromkeys(measuring.CATALOGUE, computing), judging.WIN_RATE: pairing}
    remedies |= dict.fromkeys((spec.name for spec in LIKELIHOOD), _likelihood(config))
    if not judging_too:
        remedies |= dict.fromkeys(judging.DIMENSIONS, _JUDGE)
    own = {spec.name for spec in specs(config)}
    return {
        name: f"{remedy}, or take it out of the gate"
        for name, remedy in remedies.items()
        if name not in own
    }


def _likelihood(config: Config) -> str:
    """Return what would have a run measure how likely the targets are."""
    if behind := served.served(config.model, config.baseline):
        return f"{behind[0]} is an endpoint, which gives no likelihood: name the weights instead"
    return "Set generate.evaluate_loss: true"


def _scored_by(scorer: Scorer, config: Config) -> bool:
    return scorer.name in {each.name for each in config.wanted}
