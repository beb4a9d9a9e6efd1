"""A package that LLaMA-Factory would miss after it has loaded torch is named before."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

import pytest

from assay.errors import SettingsError
from assay.llamafactory import names
from assay.llamafactory.packages import _PACKAGES, check_packages, check_quantizer


@pytest.fixture(name="bare")
def make_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with LLaMA-Factory and nothing else."""

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("values", "package"),
    [
        ({"quantization_bit": 4}, "bitsandbytes"),
        ({"quantization_bit": 8, "quantization_method": "BNB"}, "bitsandbytes"),
        ({"quantization_bit": 4, "quantization_method": "hqq"}, "hqq"),
        ({"quantization_bit": 8, "quantization_method": "eetq"}, "eetq"),
        ({"deepspeed": "zero3.json"}, "deepspeed"),
        ({"use_unsloth": True}, "unsloth"),
        ({"use_hyper_parallel": True}, "hyper-parallel"),
        ({"use_unsloth": False, "quantization_method": "hqq"}, ""),
        ({}, ""),
    ],
)
def test_a_setting_names_the_package_that_it_needs(values: dict[str, Any], package: str) -> None:
    if package:
        with pytest.raises(SettingsError, match=f"needs {package}, .*pip install {package}, or"):
            check_packages(values, "finetune.llamafactory")
    else:
        check_packages(values, "finetune.llamafactory")


@pytest.mark.usefixtures("bare")
def test_a_base_that_is_quantized_names_its_package() -> None:
    with pytest.raises(SettingsError, match=r"some/base \(gptq\) needs gptqmodel"):
        check_quantizer("gptq", "some/base")
    check_quantizer("fp8", "some/base")
    check_quantizer("", "some/base")


def test_nothing_is_said_where_llamafactory_runs_elsewhere(
    bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    check_packages({"quantization_bit": 4}, "finetune.llamafactory")


def test_the_settings_are_llamafactorys() -> None:
    assert set(_PACKAGES) <= set(names()["settings"])
