"""What a run will do, as one record: made once from its configuration, before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import checkpoints, hub, llamafactory, model
from assay import config as configuration
from assay import generate as generating
from assay.checkpoints import Selecting
from assay.config import NO_BASELINE, Config
from assay.errors import ModelError, SettingsError
from assay.finetune import LAST, FinetuneSettings
from assay.gate import GatePolicy
from assay.generate import GenerateSettings
from assay.given import GivenAnswers
from assay.judge import JudgeSettings
from assay.metrics import MetricsSettings
from assay.model import Model
from assay.placement import ClusterSettings
from assay.records import Side
from assay.scoring import AUTO_METRICS, JUDGING, SCORERS
from assay.served import Named, ServedModel, served


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. A stage that it does not have is None.

    `config` is what was asked for, PREFIX/latest as the model that it means now, and a hub id with
    the commit that it is now. `candidate` is the
    model to evaluate, "" where `finetune` makes it; `base_model` is the base of an adapter whose
    own record of it does not hold; `baseline` is the model to compare with, "" for none. Both may
    be behind an endpoint, or a file of their answers. `generate` is how both sides answer, with
    what they take from the fine-tune. `scoring` holds the settings of the scoring stages that are
    wanted, by name and in their order.
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
    def given(self) -> dict[Side, GivenAnswers]:
        """Return the sides whose answers are in a file, with it."""
        models: dict[Side, Named] = {"candidate": self.candidate, "baseline": self.baseline}
        return {side: each for side, each in models.items() if isinstance(each, GivenAnswers)}

    @property
    def parity(self) -> Side | None:
        """Return the side that is behind an endpoint, where the other one has weights."""
        sides: dict[str, Side] = {"model": "candidate", "baseline": "baseline"}
        behind = list(self.served)
        return sides[behind[0]] if len(behind) == 1 and self._weighed else None

    @property
    def _weighed(self) -> bool:
        """Whether there are two sides, one of them at least with weights."""
        return len(self.sides) == 2 and bool(self.finetune or self.weights)

    @property
    def weights(self) -> tuple[str, ...]:
        """Return the models whose weights the run loads, as it names them."""
        named = (self.candidate, self.baseline)
        return tuple(model for model in named if isinstance(model, str) and model)


def make(config: Config) -> Plan:
    """Return what a run of `config` will do. Raises ModelError and StoreError."""
    candidate = None
    config = _at_commits(config)
    if isinstance(config.model, str) and config.model:
        name = model.newest(config.model)
        config = replace(config, model=name)
        candidate = model.resolve(name, config.base_model, weights=False)
        config, candidate = _base_at_commit(config, candidate)
    return replace(
        draft(config),
        baseline=_baseline(config, candidate),
        generate=_generation(config, candidate),
    )


def _at_commits(config: Config) -> Config:
    """Return `config` with the commit of each hub id that it names. Raises ModelError."""
    own, tuning = config.generate.llamafactory, config.finetune
    if tuning:
        base = hub.pinned(tuning.base_model, {**own, **tuning.llamafactory})
        config = replace(config, finetune=replace(tuning, base_model=base))
        own = {**llamafactory.inherited(tuning.llamafactory), **own}
    named: dict[str, Any] = {
        name: getattr(config, name) for name in ("model", "base_model", "baseline")
    }
    commits: dict[str, Any] = {
        name: hub.pinned(of, own) for name, of in named.items() if isinstance(of, str)
    }
    return replace(config, **commits)


def _base_at_commit(config: Config, candidate: Model) -> tuple[Config, Model]:
    """Return both with the commit of the hub id that the candidate itself names as its base."""
    manifest, asks = candidate.manifest, config.generate
    below = candidate.base_name if candidate.adapter else manifest.base_model if manifest else ""
    compared = candidate.adapter or not config.baseline
    if config.base_model or not compared:
        return config, candidate
    _check_trusted(config, candidate.name, below)
    loading = (
        generating.inherit_from(asks, manifest).llamafactory if manifest else asks.llamafactory
    )
    pinned = hub.pinned(below, loading)
    if pinned == below:
        return config, candidate
    if candidate.adapter:
        candidate = model.on_base(candidate, pinned)
    return replace(config, base_model=pinned), candidate


def _check_trusted(config: Config, name: str, base: str) -> None:
    """Refuse code of a revision that a model's folder chooses: whoever may write that folder might
    have proposed it to the base's repository."""
    revision = hub.split(base)[1]
    loading = config.generate.llamafactory
    if revision and loading.get("trust_remote_code") and loading.get("model_revision") != revision:
        raise ModelError(
            f"{name} names {base} as its base, of which generate.llamafactory.trust_remote_code "
            "would run code",
            f"If you trust that revision, set base_model: {base}",
        )


def draft(config: Config) -> Plan:
    """Return the plan of `config` with the models as it names them: none was looked at."""
    return Plan(
        config=config,
        finetune=config.finetune,
        candidate=config.model,
        base_model=config.base_model,
        baseline="",
        generate=_generation(config, None),
        scoring={scorer.name: config.scoring[scorer.name] for scorer in config.wanted},
        cluster=config.cluster,
        gate=config.gate,
    )


def pinned(config: Config, begun: Path) -> Config:
    """Return `config` as the run whose configuration is in the file `begun` goes on with it, and
    `config` itself where there is none: PREFIX/latest stays the model that it began with, and a
    hub id the commit.

    Raises SettingsError where that run was asked for something else.
    """
    if not begun.is_file():
        return config
    earlier = configuration.load(begun)
    asked, meant = config.model, earlier.model
    if isinstance(asked, str) and isinstance(meant, str) and model.is_latest_of(asked, meant):
        config = replace(config, model=meant)
    config = _as_begun(config, earlier)
    # how long its store is waited for is no part of what a run is asked for
    if differing := configuration.first_difference(replace(earlier, store=config.store), config):
        raise SettingsError(
            f"{begun.parent} holds a run with another {differing}",
            _remedy(differing.name),
        )
    return config


def _remedy(differing: str) -> str:
    """Return what to do where a run was begun with another setting: what scores its answers may
    have others, and keeps what it had."""
    stage, _, name = differing.partition(".")
    if name == "endpoint" and stage in ("model", "baseline"):
        return (
            f"Where the same model has moved, assay generate RUN --set {differing}=URL goes on "
            "with its answers, and then the command that began it. Or choose another --out, or "
            "remove it"
        )
    if not name or stage not in {scorer.name for scorer in SCORERS}:
        return "Choose another --out, or remove it"
    return (
        f"Once it has its answers, assay {stage} RUN --set {differing}=VALUE goes on with it, and "
        "then assay report RUN. Or choose another --out, or remove it"
    )


def _as_begun(config: Config, earlier: Config) -> Config:
    """Return `config` with the commits that the `earlier` one has of the same hub ids, and of the
    base that its model names."""
    names = ("model", "base_model", "baseline")
    meant = {name: _meant(getattr(config, name), getattr(earlier, name)) for name in names}
    if not config.base_model and hub.commit(earlier.base_model):
        meant["base_model"] = earlier.base_model
    tuning = config.finetune
    if tuning and earlier.finetune:
        base = _meant(tuning.base_model, earlier.finetune.base_model)
        tuning = replace(tuning, base_model=base)
    return replace(config, finetune=tuning, **meant)


def _meant(asked: Any, earlier: Any) -> Any:
    """Return what `asked` is where an `earlier` try had a commit of the same hub id: that one,
    unless it names a revision itself."""
    if not isinstance(asked, str) or not isinstance(earlier, str) or not hub.commit(earlier):
        return asked
    named, revision = hub.split(asked)
    if named != hub.split(earlier)[0]:
        return asked
    return hub.pinned(asked, {}) if revision else earlier


def selecting(config: Config) -> Selecting | None:
    """Return by what one of the fine-tune's checkpoints is chosen, None where it is the last one:
    they answer as both sides do. Raises SettingsError and JudgeError."""
    tuning = config.finetune
    if tuning is None or tuning.checkpoints == LAST:
        return None
    own = {each.name: config.scoring[each.name] for each in config.wanted}
    return checkpoints.selecting(tuning.select_by, _generation(config, None), own)


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
