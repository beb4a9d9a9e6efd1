"""A configuration as the parameters of a pipeline: the inverse of `config.from_parameters`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import config as configuration
from assay import generate, parameters, preflight, reuse, served, settings, store, task
from assay.config import NO_BASELINE, Config
from assay.errors import SettingsError
from assay.given import SHORT, GivenAnswers
from assay.judge import JudgeSettings
from assay.judge.access import JUDGE_VARIABLES
from assay.judge.rubric import builtin_names
from assay.judge.seats import seats
from assay.model import apart
from assay.paths import MODELS
from assay.served import ServedModel

PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "STRUCT": (dict,),
    "LIST": (list,),
}
HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(@\w[\w./-]*)?")


def pipeline_of(config: Config) -> str:
    """Return the name of the pipeline that does what `config` asks for."""
    return parameters.FINETUNE if config.finetune else parameters.EVALUATE


def to_parameters(
    config: Config, spec: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments with which the pipeline `spec` does what `config` says; `given` are
    parameters that no setting stands for, such as judge_secret.

    What has no parameter of its own goes into its stage's dict, or into more_settings. Raises
    InputError for what could work nowhere, and for paths of this machine, which no cluster sees.
    """
    preflight.check_settings(config)
    generate.check_in_image(config.generate)
    given = given or {}
    config = configuration.without_unwanted(config)
    check_given(given, spec)
    check_places(config, given)
    arguments: dict[str, Any] = task.handed({**_arguments(config, spec), **given})
    return arguments


def inputs_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions of a compiled pipeline's parameters, by name."""
    return dict(spec["root"]["inputDefinitions"]["parameters"])


def check_given(given: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Raise SettingsError for a parameter that the pipeline lacks or that has another type."""
    inputs = inputs_of(spec)
    settings.check_names(given, inputs, "parameter")
    for name, value in given.items():
        kind = inputs[name]["parameterType"]
        wanted = PYTHON_TYPES[kind]
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise SettingsError(
                f"parameter {name} = {value!r} is no {kind.lower().replace('_', ' ')}",
                f"Correct {name}",
            )


def check_places(config: Config, given: Mapping[str, Any]) -> None:
    """Raise SettingsError for data or models that a cluster cannot see."""
    data = {"dataset.train": config.dataset.train, "dataset.eval": config.dataset.eval}
    cache = "" if config.generate.cache == reuse.NONE else config.generate.cache
    data |= {"history": config.history, "generate.cache": cache}
    if config.judge:
        built_in = config.judge.rubric in builtin_names()
        data |= {
            "judge.rubric": "" if built_in else config.judge.rubric,
            "judge.anchors": config.judge.anchors,
            "judge.calibration": config.judge.calibration,
            "judge.ca_file": config.judge.ca_file,
        }
    baseline = "" if config.baseline == NO_BASELINE else config.baseline
    models = {"model": config.model, "base_model": config.base_model, "baseline": baseline}
    models["metrics.task.encoder"] = config.metrics.task.encoder
    if config.finetune:
        models["finetune.base_model"] = config.finetune.base_model
    for name, value in (data | models).items():
        if isinstance(value, GivenAnswers):
            name, value = f"{name}.{SHORT}", value.predictions
        if isinstance(value, ServedModel):
            _check_model_variables(name, value)
        elif (
            value
            and name.rpartition(".")[2] not in given
            and (unseen := _unseen(value, name in models))
        ):
            raise SettingsError(
                f"{name} = {unseen} is a path of this machine, which the cluster cannot see",
                "Put it in a store and name it by s3://, minio:// or hf://"
                + (", or name a hub id" if name in models else ""),
            )
    judges = [config.judge, *seats(config.judge)] if config.judge else []
    for judge in judges:
        _check_variables(judge)


def _check_variables(judge: JudgeSettings) -> None:
    """Raise SettingsError for a variable that the cluster's pods do not have."""
    named = {f"judge.headers.{name}": variable for name, variable in judge.headers.items()}
    for name, variable in {"judge.api_key_env": judge.api_key_env, **named}.items():
        if variable and variable not in JUDGE_VARIABLES.values():
            raise SettingsError(
                f"{name} = {variable} is no variable of the cluster's pods",
                "Put the value into the Secret that judge_secret names, and name the variable of "
                f"its entry: {_entries(JUDGE_VARIABLES)}",
            )


def _check_model_variables(where: str, model: ServedModel) -> None:
    """Raise SettingsError for a variable of a served model that the cluster's pods do not have, and
    for a file of this machine."""
    for name, variable in served.variables(model).items():
        if not served.in_pods(variable):
            raise SettingsError(
                f"{where}.{name} = {variable} is no variable of the pods that ask a model",
                "Put the value into the Secret that judge_secret names, and name the variable of "
                f"its entry: {_entries(served.MODEL_VARIABLES)}",
            )
    if model.ca_file and not _seen(model.ca_file, is_model=False):
        raise SettingsError(
            f"{where}.ca_file = {model.ca_file} is a path of this machine, which the cluster "
            "cannot see",
            "Put it in a store and name it by s3:// or minio://",
        )


def _entries(variables: Mapping[str, str]) -> str:
    return ", ".join(f"{value} ({entry})" for entry, value in variables.items())


def _unseen(value: str, is_model: bool) -> str:
    """Return what the cluster does not see of a setting, "" for nothing: of several adapters the
    first one that it does not."""
    parts = map(str.strip, apart(value)) if is_model else (value,)
    return next((part for part in parts if not _seen(part, is_model)), "")


def _seen(value: str, is_model: bool) -> bool:
    if store.is_remote(value) or "://" in value:
        return True
    return is_model and bool(HUB_ID.fullmatch(value)) and not Path(value).exists()


def _arguments(config: Config, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` under the pipeline's names: first the parameters, and then, in a dict, each
    setting that the pipeline would not have from them."""
    inputs, plain = inputs_of(spec), configuration.plain(config)
    pipeline, arguments = pipeline_of(config), {}
    for name, (place, *_) in parameters.single(pipeline).items():
        value = _at(plain, place)
        kinds = PYTHON_TYPES[inputs[name]["parameterType"]]
        if place in MODELS and isinstance(value, Mapping):
            value = json.dumps(value)  # a parameter is one text
        if isinstance(value, kinds) and value != inputs[name].get("defaultValue"):
            arguments[name] = value  # what has another type goes into the section's dict
    dicts = {section: name for name, section in parameters.sections(pipeline).items()}
    received, more = _received(spec, arguments), {}
    for name, value in plain.items():
        if not (differing := _differing(value, received.get(name))):
            continue
        if name in dicts:
            arguments[dicts[name]] = differing
        elif name in configuration.MORE:
            more[name] = differing
    return {**arguments, "more_settings": more} if more else arguments


def _differing(wanted: Any, had: Any) -> Any:
    """Return what is wanted and not had, of a section only those settings; None for nothing."""
    if isinstance(wanted, Mapping):
        had = had or {}
        return {name: value for name, value in wanted.items() if had.get(name) != value} or None
    return wanted if wanted != had else None


def _at(plain: Mapping[str, Any], place: str) -> Any:
    section, _, name = place.rpartition(".")
    return (plain.get(section, {}) if section else plain).get(name)


def _received(spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    received = task.whole(preflight_receives(spec, arguments))
    return configuration.plain(configuration.from_parameters(received))


def preflight_receives(spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the pipeline's first task gets when the pipeline is run with `arguments`."""
    inputs = inputs_of(spec)
    whole = {
        name: arguments.get(name, definition.get("defaultValue", ""))
        for name, definition in inputs.items()
    }
    first = spec["root"]["dag"]["tasks"]["preflight"]
    component = spec["components"][first["componentRef"]["name"]]
    received = {}
    for name, definition in component["inputDefinitions"]["parameters"].items():
        source = first["inputs"]["parameters"].get(name)
        if source is None:
            received[name] = definition["defaultValue"]
        elif "componentInputParameter" in source:
            received[name] = whole[source["componentInputParameter"]]
        else:
            received[name] = source["runtimeValue"]["constant"]
    return received
