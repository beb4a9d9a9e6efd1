from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from assay import generate, llamafactory
from assay.errors import SettingsError
from assay.records import ModelManifest

MANIFEST = ModelManifest(
    base_model="base",
    base_digest="",
    finetuning_type="lora",
    template="qwen3",
    digest="",
    dataset_hash="",
    samples=1,
    settings={},
    versions={},
)

INSTALLED = """
import dataclasses, json
from llamafactory.data.template import TEMPLATES, ReasoningTemplate
from llamafactory.extras.env import VERSION
from llamafactory.hparams.parser import _TRAIN_ARGS
names = {field.name for cls in _TRAIN_ARGS for field in dataclasses.fields(cls) if field.init}
thoughts = {
    name: [word.strip() for word in template.thought_words]
    for name, template in sorted(TEMPLATES.items())
    if isinstance(template, ReasoningTemplate)
}
names = {"settings": sorted(names), "templates": sorted(TEMPLATES), "thoughts": thoughts}
print()
print(json.dumps({"version": VERSION, **names}))
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


@pytest.mark.parametrize(
    "name", ["hf_hub_token", "swanlab_api_key", "hub_token", "swanlab_lark_webhook_url"]
)
def test_a_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="looks like a secret"):
        llamafactory.check_settings({name: "x"}, "finetune.llamafactory")


@pytest.mark.parametrize(
    "value",
    [
        {"_redis_password": "hidden"},
        {"runtime": [{"api_key": "hidden"}]},
        '{"api_key": "hidden"}',
    ],
)
def test_a_key_inside_a_setting_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match="looks like a secret") as caught:
        llamafactory.check_settings({"ray_init_kwargs": value}, "finetune.llamafactory")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("folder", "own", "withheld"),
    [
        ({"trust_remote_code": True}, {}, {"trust_remote_code"}),
        ({"trust_remote_code": True}, {"trust_remote_code": True}, set()),
        ({"trust_remote_code": True}, {"trust_remote_code": False}, set()),
        ({"trust_remote_code": False}, {}, set()),
        ({"new_special_tokens_config": "/etc/passwd"}, {}, {"new_special_tokens_config"}),
        ({"flash_attn": "fa3"}, {}, {"flash_attn"}),
        ({"flash_attn": "sdpa"}, {}, set()),
        ({"model_revision": "refs/pr/5"}, {}, set()),
        ({"model_revision": "refs/pr/5"}, {"trust_remote_code": True}, {"model_revision"}),
        ({"rope_scaling": "yarn", "resize_vocab": True, "quantization_bit": 4}, {}, set()),
        ({"learning_rate": 1}, {}, set()),
    ],
)
def test_what_has_foreign_code_run_is_not_taken_from_a_folder(
    folder: dict[str, object], own: dict[str, object], withheld: set[str]
) -> None:
    assert set(llamafactory.withheld(folder, own)) == withheld
    manifest = replace(MANIFEST, settings={"llamafactory": folder})
    settings = generate.GenerateSettings(llamafactory=own)
    taken = generate.inherit_from(settings, manifest).llamafactory
    wanted = {name: value for name, value in folder.items() if name in llamafactory.INHERITED}
    assert taken == {name: wanted[name] for name in wanted if name not in withheld} | own


def test_no_path_and_no_code_is_inherited_unseen() -> None:
    """Each inherited setting is known to be harmless, or withheld."""
    harmless = {
        *("add_special_tokens", "add_tokens", "default_system", "enable_thinking"),
        *("init_special_tokens", "preserve_thinking", "quantization_bit", "quantization_method"),
        *("quantization_type", "resize_vocab", "rope_scaling", "split_special_tokens"),
        *("tool_format", "use_fast_tokenizer"),
    }
    folder = dict.fromkeys(llamafactory.INHERITED, "fa3")
    own = {"trust_remote_code": True}
    assert harmless == llamafactory.INHERITED - set(llamafactory.withheld(folder, own)) - set(own)


@pytest.mark.parametrize("settings", [{}, {"llamafactory": None}, {"llamafactory": ["x"]}])
def test_a_folder_whose_settings_are_no_settings(settings: dict[str, object]) -> None:
    taken = generate.inherit_from(generate.GenerateSettings(), replace(MANIFEST, settings=settings))
    assert (taken.llamafactory, taken.template) == ({}, "qwen3")


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({}, {"CUDA_VISIBLE_DEVICES": "0"}),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, {"CUDA_VISIBLE_DEVICES": "3"}),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8a,GPU-9b"}, {"CUDA_VISIBLE_DEVICES": "GPU-8a"}),
        ({"CUDA_VISIBLE_DEVICES": "MIG-1"}, {"CUDA_VISIBLE_DEVICES": "MIG-1"}),
        ({"CUDA_VISIBLE_DEVICES": ""}, {}),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, {"CUDA_VISIBLE_DEVICES": "-1"}),
        ({"ASCEND_RT_VISIBLE_DEVICES": "4,5"}, {"ASCEND_RT_VISIBLE_DEVICES": "4"}),
        ({"ZE_AFFINITY_MASK": "1.0,1.1"}, {"ZE_AFFINITY_MASK": "1.0"}),
        (
            {"HIP_VISIBLE_DEVICES": "2,3"},
            {"CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "2"},
        ),
    ],
)
def test_one_device_stays_in_sight(environment: dict[str, str], seen: dict[str, str]) -> None:
    first = dict.fromkeys(("ASCEND_RT_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"), "0")
    if "CUDA_VISIBLE_DEVICES" not in environment:
        first["CUDA_VISIBLE_DEVICES"] = "0"
    assert llamafactory.only(environment, [0]) == first | seen
