from __future__ import annotations

import json
import subprocess
import sys

import pytest

from assay import llamafactory
from assay.errors import SettingsError

INSTALLED = """
import dataclasses, json
from llamafactory.data.template import TEMPLATES
from llamafactory.extras.env import VERSION
from llamafactory.hparams.parser import _TRAIN_ARGS
names = {field.name for cls in _TRAIN_ARGS for field in dataclasses.fields(cls) if field.init}
print()
print(json.dumps({"version": VERSION, "settings": sorted(names), "templates": sorted(TEMPLATES)}))
"""


@pytest.mark.usefixtures("llamafactory")
def test_the_names_are_those_of_the_installed_version() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == llamafactory.names()


def test_what_assay_decides_and_evaluation_inherits_are_settings_of_llamafactory() -> None:
    known = set(llamafactory.names()["settings"])
    assert set(llamafactory.RESERVED) <= known
    assert known >= llamafactory.INHERITED


def test_a_misspelt_setting_or_template_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean lora_dropout"):
        llamafactory.check_settings({"lora_dropuot": 0.1}, "finetune.llamafactory")
    with pytest.raises(SettingsError, match="Did you mean smollm2"):
        llamafactory.check_template("smolm2", "finetune")


def test_what_assay_decides_is_refused_with_the_setting_to_use() -> None:
    with pytest.raises(SettingsError, match=r"output_dir is set by Assay\. Use --out"):
        llamafactory.check_settings({"output_dir": "x"}, "finetune.llamafactory")


@pytest.mark.parametrize("name", ["hf_hub_token", "swanlab_api_key", "hub_token"])
def test_a_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="looks like a secret"):
        llamafactory.check_settings({name: "x"}, "finetune.llamafactory")
