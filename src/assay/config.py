"""A run's configuration: one YAML file, a section a stage, checked whole before it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from assay import parameters, paths, placement, scoring, served, settings, store
from assay.dataset import DatasetSettings
from assay.errors import InputError, SettingsError
from assay.finetune import FinetuneSettings
from assay.gate import ACCEPTED, GatePolicy, check_baseline, check_policy
from assay.generate import GenerateSettings
from assay.given import SHORT, check_answering, expanded, given
from assay.judge import JudgeSettings, check_access
from assay.metrics import MetricsSettings
from assay.model import joined
from assay.paths import MODELS
from assay.placement import ClusterSettings
from assay.scoring import SCORERS, Scorer
from assay.served import Named
from assay.store import StoreSettings
from assay.unset import without_unset

Mode = Literal["auto", "judge", "both"]
MODES: tuple[Mode, ...] = ("auto", "judge", "both")
NO_BASELINE = "none"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a run does. The candidate is the model that `finetune` makes, or else `model`; the
    baseline is the model it was tuned from, or else `baseline`, or none at all ("none"). Both may
    be behind an endpoint, or a file of their answers. Where the evaluation recurs, `history` is the
    folder or URI that its runs are compared through. `scoring` holds the settings of each scoring
    stage that has some, by its name."""

    dataset: DatasetSettings
    mode: Mode = "both"
    finetune: FinetuneSettings | None = None
    model: Named = ""
    base_model: str = ""
    baseline: Named = ""
    history: str = ""
    generate: GenerateSettings = field(default_factory=GenerateSettings)
    scoring: Mapping[str, Any] = field(default_factory=dict)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    gate: GatePolicy | None = None

    @property
    def wanted(self) -> tuple[Scorer, ...]:
        """The scoring stages that the mode wants."""
        return tuple(scorer for scorer in SCORERS if self.mode in scorer.modes)

    @property
    def metrics(self) -> MetricsSettings:
        """The settings of the auto-metrics."""
        given: MetricsSettings = self.of(scoring.AUTO_METRICS)
        return given

    @property
    def judge(self) -> JudgeSettings | None:
        """The settings of the judge, None without a judge."""
        return self.scoring.get(scoring.JUDGING.name)

    def of(self, scorer: Scorer) -> Any:
        """Return the settings of a scoring stage. Raises SettingsError where it needs some and has
        none."""
        if scorer.name not in self.scoring:
            needed = _needed(scorer)
            raise SettingsError(f"config has no {scorer.name} section", f"Set {needed}")
        return self.scoring[scorer.name]


# The sections of a configuration: the settings of each stage, and what must be proven.
SECTIONS: Mapping[str, type] = {
    "dataset": DatasetSettings,
    "finetune": FinetuneSettings,
    "generate": GenerateSettings,
    **{scorer.name: scorer.settings for scorer in SCORERS},
    "cluster": ClusterSettings,
    "store": StoreSettings,
    "gate": GatePolicy,
}


def load(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration in a YAML file, `overrides` ("section.name" -> value) applied.

    A path in it may be relative to the file's folder. Raises InputError and SettingsError.
    """
    values = read_yaml(path)
    for name, value in (overrides or {}).items():
        _override(values, name, value)
    return parse(paths.resolved(values, path.parent))


def parse(values: Mapping[str, Any]) -> Config:
    """Return the configuration in a mapping, every section checked. Raises SettingsError."""
    unset = [name for name, value in values.items() if value is None]
    settings.check_names(dict.fromkeys(unset), _names(), "config")
    values = expanded({name: value for name, value in values.items() if value is not None})
    settings.check_urls(values, "")
    values |= {name: _of_several(values[name], name) for name in MODELS if name in values}
    if values.get("gate") == {}:
        del values["gate"]
    settings.check_names(values, _names(), "config")
    built: dict[str, Any] = {
        name: settings.build(section, settings.check_mapping(values[name], name), name)
        for name, section in SECTIONS.items()
        if name in values
    }
    models = {name: served.read(values[name], name) for name in MODELS if name in values}
    if "dataset" not in values and not given(*models.values()):
        raise SettingsError("dataset is missing", "Set dataset.eval, or dataset.train")
    stages = {scorer.name: built.pop(scorer.name, scorer.usual) for scorer in SCORERS}
    elsewhere: dict[str, Any] = {
        name: model for name, model in models.items() if model is not values[name]
    }
    rest = {name: value for name, value in values.items() if name not in (*stages, *elsewhere)}
    config = replace(
        settings.build(Config, {"dataset": {}, **rest}, "config"),
        scoring={name: section for name, section in stages.items() if section is not None},
        **elsewhere,
    )
    _check_consistent(config)
    return config


def _of_several(value: object, name: str) -> object:
    """Return the one name that stands for a list of adapters on top of each other, and any other
    value as it is. Raises SettingsError for a list of anything else."""
    if not isinstance(value, list):
        return value
    wrong = [part for part in value if not isinstance(part, str) or not part or "," in part]
    if wrong or not value:
        shown = settings.shown(wrong[0], name) if wrong else "[]"
        raise SettingsError(
            f"{name} = {shown} is no list of adapters",
            "List their folders or URIs, first the one that was trained first; what is behind an "
            "endpoint, or a file of answers, stands alone",
        )
    return joined(value)


def without_unwanted(config: Config) -> Config:
    """Return `config` without a stage that its mode does not want, and that would need settings."""
    needless = {scorer.name for scorer in _needless(config.mode)}
    kept = {name: own for name, own in config.scoring.items() if name not in needless}
    return replace(config, scoring=kept)


def _needless(mode: str) -> list[Scorer]:
    return [scorer for scorer in SCORERS if scorer.usual is None and mode not in scorer.modes]


def _names() -> list[str]:
    """Return what a configuration may hold."""
    return [*SECTIONS, SHORT, *(each.name for each in fields(Config) if each.name != "scoring")]


# What the parameter more_settings holds: all that is in no parameter or dict of its own.
MORE = (
    *("cluster", "store", "dataset", "baseline", "base_model", "history"),
    *(scorer.name for scorer in SCORERS if scorer.name != scoring.JUDGING.name),
)


def from_parameters(given: Mapping[str, Any]) -> Config:
    """Return the configuration that a pipeline's parameters stand for; `train_dataset` says that
    there is a fine-tune, and what a dict holds wins over a parameter. Raises SettingsError."""
    values: dict[str, Any] = {}
    pipeline = parameters.FINETUNE if given["train_dataset"] else parameters.EVALUATE
    for name, places in parameters.single(pipeline).items():
        for place in places:
            _override(values, place, given[name])
    for name, section in parameters.sections(pipeline).items():
        values[section] = {**values.get(section, {}), **settings.check_mapping(given[name], name)}
    for scorer in _needless(given["mode"]):
        values.pop(scorer.name, None)
    return parse(_with_more(values, given["more_settings"]))


def _with_more(values: dict[str, Any], given: object) -> dict[str, Any]:
    more = settings.check_mapping(given, "more_settings")
    settings.check_names(more, MORE, "more_settings")
    for name, value in more.items():
        if name in SECTIONS:
            own = settings.check_mapping(value, f"more_settings.{name}")
            values[name] = {**values.get(name, {}), **own}
        else:
            values[name] = value
    return values


def save(config: Config, path: Path) -> None:
    """Write the configuration, complete and without secrets, as YAML."""
    store.write_text(path, settings.to_yaml(plain(config)))


def first_difference(left: Config, right: Config) -> settings.Difference | None:
    """Return the first setting that differs, None where none does."""
    return settings.first_difference(plain(left), plain(right))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file. Raises InputError and SettingsError."""
    try:
        values = settings.from_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", "Correct the path") from None
    except OSError as error:
        told = f"{path} cannot be read: {error.strerror}"
        raise InputError(told, "Name the YAML file") from None
    except ValueError as error:
        line = settings.yaml_problem(error)
        raise SettingsError(f"{path} is not YAML: {line}", "Correct the file") from None
    return settings.check_mapping(values, str(path))


def _check_consistent(config: Config) -> None:
    placement.check(config.cluster)
    if (config.finetune is None) == (not config.model):
        raise SettingsError(
            "config needs exactly one of finetune (make a model), model (take one) and predictions "
            "(take its answers)",
            "Keep the one you mean",
        )
    if config.finetune and not config.dataset.train:
        raise SettingsError("dataset.train is missing", "Name the data to fine-tune on")
    for scorer in config.wanted:
        if scorer.name not in config.scoring:
            raise SettingsError(
                f"mode is {config.mode} and {scorer.name} is missing",
                f"Set {_needed(scorer)}, or mode: {_without(scorer)}",
            )
    if config.judge:
        check_access(config.judge)
    for name in MODELS:
        for model in served.served(getattr(config, name)):
            served.check_settings(model, config.generate, name)
    taken = {each for each in (config.model, config.baseline) if isinstance(each, str)}
    weights = bool(config.finetune or taken - {"", NO_BASELINE})
    served.check_engine(config.generate.engine, weights=weights)
    models = [each for each in (config.model, config.baseline) if each not in ("", NO_BASELINE)]
    if models and not config.finetune and len(given(*models)) == len(models):
        check_answering(config.generate)
    if config.gate:
        check_policy(config.gate)
        if config.baseline == NO_BASELINE:
            check_baseline(config.gate)
    if config.gate and config.gate.against == (ACCEPTED,) and not config.history:
        raise SettingsError(
            "gate.against is accepted alone, and there is no history that could have accepted a "
            "model",
            "Set history, or add baseline",
        )


def _needed(scorer: Scorer) -> str:
    return " and ".join(f"{scorer.name}.{name}" for name in settings.required(scorer.settings))


def _without(scorer: Scorer) -> Mode:
    return next(mode for mode in MODES if mode not in scorer.modes)


def plain(config: Config) -> dict[str, Any]:
    """Return the configuration as a mapping of JSON values, unset sections left out."""
    values = json.loads(store.to_json(without_unset(config)))
    values |= values.pop("scoring")
    return {name: value for name, value in values.items() if value != ""}


def _override(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{name}: {section} is no section", "Correct --set")
    values[last] = value
