"""What generate.vllm may hold: the settings of vLLM's server, as the versions that Assay is pinned
to know them.

The wheel for CPUs is another version than the one for GPUs, which is in the image. Wherever a run
is planned, what neither knows is refused; what answers is then asked of its own version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from assay.engine.vllm import environment
from assay.errors import SettingsError
from assay.settings import check_names, check_secrets, shown

WHERE = "generate.vllm"
CPU, GPU = "cpu", "gpu"
"""The locks in images/vllm, each with the names of its version; the image has that for GPUs."""
# What Assay decides itself, with the setting to use instead.
RESERVED = {
    "api_key": "nothing: the server is on the loopback",
    "config": "generate.vllm itself",
    "dtype": "generate.llamafactory.infer_dtype, which holds for the loss too",
    "enable_lora": "model",
    "generation_config": "generate",
    "headless": "nothing: each pod serves itself",
    "host": "nothing: the server is on the loopback",
    "lora_modules": "model",
    "model": "model",
    "model_tag": "model",
    "nnodes": "nothing: each pod serves itself",
    "override_generation_config": "generate",
    "port": "nothing: a free one is taken",
    "revision": "generate.llamafactory.model_revision",
    "runner": "nothing: it generates",
    "seed": "generate.seed",
    "served_model_name": "model",
    "skip_tokenizer_init": "nothing: ids are all that it is given",
    "tokenizer": "model",
    "tokenizer_revision": "generate.llamafactory.model_revision",
    "trust_remote_code": "generate.llamafactory.trust_remote_code",
    "uds": "nothing: the server is on the loopback",
}


@dataclass(frozen=True, kw_only=True)
class KnownSettings:
    """The settings of one `version` of vLLM: name -> "switch", "on" (a switch that is only set), a
    list of the values that there are, or "" for any."""

    version: str
    settings: Mapping[str, Any]

    def why_not(self, name: str, value: object) -> str:
        """Return why this version does not take the value of a setting, "" where it does."""
        if name not in self.settings:
            return "it has no such setting"
        kind = self.settings[name]
        if kind in ("switch", "on"):
            return "" if isinstance(value, bool) else "it is true or false"
        if isinstance(value, bool) or value is None:
            return "it is no switch"
        if kind and str(value) not in kind:
            return f"it is one of {', '.join(kind)}"
        return ""


@cache
def names(lock: str) -> KnownSettings:
    """Return the settings of the version in a lock."""
    text = resources.files(__package__).joinpath(f"names/{lock}.json").read_text(encoding="utf-8")
    return KnownSettings(**json.loads(text))


def known() -> tuple[KnownSettings, ...]:
    """Return the settings of each version, that of the image first."""
    return names(GPU), names(CPU)


def here() -> KnownSettings | None:
    """Return the settings of the version that is installed here, None where none is, or one that
    is in no lock."""
    installed = environment.versions()
    version = next((installed[name] for name in environment.WHEELS if name in installed), "")
    return next((each for each in known() if each.version == version), None)


def check(given: Mapping[str, Any]) -> None:
    """Raise SettingsError for a setting that Assay decides itself, or that none of the versions
    has, or has with this value."""
    for name in given:
        if name in RESERVED:
            raise SettingsError(f"{WHERE}.{name} is set by Assay", f"Use {RESERVED[name]}")
    check_names(given, {name: "" for each in known() for name in each.settings}, WHERE)
    for name, value in given.items():
        check_secrets(value, f"{WHERE}.{name}")
        _check_value(name, value)


def check_here(given: Mapping[str, Any]) -> None:
    """Raise SettingsError for what the vLLM that is installed here does not take."""
    if own := here():
        _check_version(given, own, "which answers here")


def check_in_image(given: Mapping[str, Any]) -> None:
    """Raise SettingsError for what the vLLM in the image assay-vllm does not take."""
    _check_version(given, names(GPU), "which the image has")


def _check_value(name: str, value: object) -> None:
    reasons = [each.why_not(name, value) for each in known()]
    if all(reasons):
        raise SettingsError(
            f"{WHERE}.{name} = {shown(value)} is no value of it: {reasons[0]}", f"Correct {name}"
        )
    if name.endswith("_parallel_size") and (not isinstance(value, int) or value < 1):
        raise SettingsError(
            f"{WHERE}.{name} = {shown(value)} is no number of GPUs", "Set 1 or more"
        )
    if name == "max_model_len" and (type(value) is not int or value < 1):
        raise SettingsError(
            f"{WHERE}.{name} = {shown(value)} is no number of tokens",
            "Set 1 or more, or leave it out: then it is the model's own",
        )


def _check_version(given: Mapping[str, Any], own: KnownSettings, whose: str) -> None:
    for name, value in given.items():
        others = [each.version for each in known() if not each.why_not(name, value)]
        if others and (reason := own.why_not(name, value)):  # what none takes, check refuses
            raise SettingsError(
                f"{WHERE}.{name} = {shown(value)} is not for vLLM {own.version}, {whose}: {reason}",
                f"Correct {name}: vLLM {' and '.join(others)} takes it",
            )
