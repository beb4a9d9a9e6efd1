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
    likelihood = LIKELIHOOD if config.generate.evaluate_loss and not _weightless(config) else ()
    return (*computed, *judged(config), *likelihood)


def judged(config: Config) -> tuple[MetricSpec, ...]:
    """Return what each of the judge's metrics is that a gate can ask for. Raises JudgeError."""
    if config.judge is None or not _scored_by(JUDGING, config):
        return ()
    pairwise = (judging.PAIRWISE[0],) if config.judge.pairwise else ()
    return (*judging.specs_of(config.judge.rubric), *pairwise)


def totals(config: Config) -> set[str]:
    """Return which metrics of a run are one number over all samples. Raises SettingsError."""
    computed = (
        measuring.of_all_samples(config.metrics) if _scored_by(AUTO_METRICS, config) else set()
    )
    return {"perplexity", *computed}


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
    return {name: remedy for name, remedy in remedies.items() if name not in own}


def _likelihood(config: Config) -> str:
    """Return what would have a run measure how likely the targets are."""
    for model in _weightless(config):
        kind = "an endpoint" if isinstance(model, served.ServedModel) else "a file of answers"
        return f"{model} is {kind}, which gives no likelihood: name the weights instead"
    return "Set generate.evaluate_loss: true"


def _weightless(config: Config) -> list[served.Named]:
    return [each for each in (config.model, config.baseline) if not isinstance(each, str)]


def _scored_by(scorer: Scorer, config: Config) -> bool:
    return scorer.name in {each.name for each in config.wanted}
