"""What a run will do, as one record: made once from its configuration, before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import config as configuration
from assay import generate as generating
from assay import model
from assay.config import NO_BASELINE, Config
from assay.errors import SettingsError
from assay.finetune import FinetuneSettings
from assay.gate import GatePolicy
from assay.generate import GenerateSettings
from assay.judge import JudgeSettings
from assay.metrics import MetricsSettings
from assay.model import Model
from assay.placement import ClusterSettings
from assay.records import Side
from assay.scoring import AUTO_METRICS, JUDGING
from assay.served import Named, ServedModel, served


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. A stage that it does not have is None.

    `config` is what was asked for, PREFIX/latest as the model that it means now. `candidate` is the
    model to evaluate, "" where `finetune` makes it; `base_model` is the base of an adapter whose
    own record of it does not hold; `baseline` is the model to compare with, "" for none. Both may
    be behind an endpoint. `generate` is how both sides answer, with what they take from the
    fine-tune. `scoring` holds the settings of the scoring stages that are wanted, by name and in
    their order.
    """

    config: Config
    finetune: FinetuneSettings | None
    candidate: Named
    base_model: str
    baseline: Named
    generate: GenerateSettings
    scoring: Mapping[str, Any]
    cluster: ClusterSettings
    gate: GatePolicy | None

    @property
    def metrics(self) -> MetricsSettings | None:
        """Return the settings of the auto-metrics, None where they are not wanted."""
        return self.scoring.get(AUTO_METRICS.name)

    @property
    def judge(self) -> JudgeSettings | None:
        """Return the settings of the judge, None where it is not wanted."""
        return self.scoring.get(JUDGING.name)

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return the sides that are evaluated: without a baseline only the candidate."""
        return ("baseline", "candidate") if self.baseline else ("candidate",)

    @property
    def served(self) -> dict[str, ServedModel]:
        """Return the models that are behind an endpoint, by the setting that names each."""
        named = {"model": self.candidate, "baseline": self.baseline}
        return {name: each for name, model in named.items() for each in served(model)}

    @property
    def parity(self) -> Side | None:
        """Return the side that is behind an endpoint, where the other one has weights."""
        sides: dict[str, Side] = {"model": "candidate", "baseline": "baseline"}
        behind = list(self.served)
        return sides[behind[0]] if len(behind) == 1 and len(self.sides) == 2 else None

    @property
    def weights(self) -> tuple[str, ...]:
        """Return the models whose weights the run loads, as it names them."""
        named = (self.candidate, self.baseline)
        return tuple(model for model in named if isinstance(model, str) and model)


def make(config: Config) -> Plan:
    """Return what a run of `config` will do. Raises ModelError and StoreError."""
    candidate = None
    if isinstance(config.model, str) and config.model:
        name = model.newest(config.model)
        config = replace(config, model=name)
        candidate = model.resolve(name, config.base_model, weights=False)
    return replace(
        draft(config),
        baseline=_baseline(config, candidate),
        generate=_generation(config, candidate),
    )


def draft(config: Config) -> Plan:
    """Return the plan of `config` with the models as it names them: none was looked at."""
    return Plan(
        config=config,
        finetune=config.finetune,
        candidate=config.model,
        base_model=config.base_model,
        baseline="",
        generate=config.generate,
        scoring={scorer.name: config.scoring[scorer.name] for scorer in config.wanted},
        cluster=config.cluster,
        gate=config.gate,
    )


def pinned(config: Config, begun: Path) -> Config:
    """Return `config` as the run whose configuration is in the file `begun` goes on with it, and
    `config` itself where there is none: PREFIX/latest stays the model that it began with.

    Raises SettingsError where that run was asked for something else.
    """
    if not begun.is_file():
        return config
    earlier = configuration.load(begun)
    asked, meant = config.model, earlier.model
    if isinstance(asked, str) and isinstance(meant, str) and model.is_latest_of(asked, meant):
        config = replace(config, model=meant)
    # how long its store is waited for is no part of what a run is asked for
    if name := configuration.first_difference(replace(earlier, store=config.store), config):
        raise SettingsError(
            f"{begun.parent} holds a run with another {name}",
            "Choose another --out, or remove it",
        )
    return config


def _baseline(config: Config, candidate: Model | None) -> Named:
    """Return the model to compare with: the one that is set, or else the one that the candidate
    was tuned from."""
    if config.baseline:
        return "" if config.baseline == NO_BASELINE else config.baseline
    if config.finetune:
        return config.finetune.base_model
    return model.tuned_from(candidate, config.base_model) if candidate else ""


def _generation(config: Config, candidate: Model | None) -> GenerateSettings:
    """Return how both sides answer: what is not set comes from the fine-tune of the candidate."""
    if tuning := config.finetune:
        return generating.inherit(config.generate, tuning.template, tuning.llamafactory)
    manifest = candidate.manifest if candidate else None
    return generating.inherit_from(config.generate, manifest) if manifest else config.generate
