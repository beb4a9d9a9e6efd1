"""Which packages LLaMA-Factory takes for what it is asked to do, beside those it comes with."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from assay.errors import SettingsError, check_all

# As LLaMA-Factory 0.9.5 checks them after it has loaded torch (hparams/parser.py,
# model_utils/quantization.py): a setting that is on -> the package.
_PACKAGES = {
    "deepspeed": "deepspeed",
    "enable_liger_kernel": "liger-kernel",
    "mixture_of_depths": "mixture-of-depth",
    "plot_loss": "matplotlib",
    "use_adam_mini": "adam-mini",
    "use_apollo": "apollo-torch",
    "use_badam": "badam",
    "use_galore": "galore-torch",
    "use_hyper_parallel": "hyper-parallel",
    "use_liger_kernel": "liger-kernel",
    "use_swanlab": "swanlab",
    "use_unsloth": "unsloth",
}
_QUANTIZERS = {"bnb": "bitsandbytes", "hqq": "hqq", "eetq": "eetq"}
# What a base that is quantized already takes, by the quant_method of its config.json.
_READERS = {
    "aqlm": "aqlm",
    "awq": "autoawq",
    "bitsandbytes": "bitsandbytes",
    "eetq": "eetq",
    "gptq": "gptqmodel",
    "hqq": "hqq",
}


def check_packages(values: Mapping[str, Any], where: str) -> None:
    """Raise SettingsError, a line for each, for a setting that needs a package which is missing
    here. Where LLaMA-Factory itself is missing, it runs elsewhere and nothing is said."""
    checks = (
        partial(_check, f"{where}.{setting}", package, f"leave {setting} out")
        for setting, package in _needs(values)
    )
    check_all(*checks)


def check_quantizer(method: str, name: str) -> None:
    """Raise SettingsError where the weights of the model `name` are quantized by a `method` whose
    package is missing here, as `check_packages`."""
    if method in _READERS:
        _check(f"{name} ({method})", _READERS[method], "name the model as it was before")


def _needs(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for setting, package in _PACKAGES.items():
        if values.get(setting):
            yield setting, package
    if values.get("quantization_bit"):
        method = str(values.get("quantization_method", "bnb")).lower()
        if method in _QUANTIZERS:
            yield "quantization_bit", _QUANTIZERS[method]


def _check(what: str, package: str, else_do: str) -> None:
    if not importlib.util.find_spec("llamafactory"):
        return
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise SettingsError(
            f"{what} needs {package}, which is not installed here",
            f"pip install {package}, or {else_do}",
        ) from None
