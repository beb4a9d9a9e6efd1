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
import dataclasses, enum, json, types, typing
from llamafactory.data.template import TEMPLATES, ReasoningTemplate
from llamafactory.extras.env import VERSION
from llamafactory.hparams.parser import _TRAIN_ARGS

KINDS = {bool: "bool", int: "int", float: "float", str: "text", list: "list", dict: "mapping"}


def parts(kind):
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [part for inner in typing.get_args(kind) for part in parts(inner)]
    return [kind]


def kind_of(part):
    if part is type(None):
        return "null"
    if typing.get_origin(part) is typing.Literal:
        return KINDS[type(typing.get_args(part)[0])]
    if isinstance(part, type) and issubclass(part, enum.Enum):
        return "text"
    return KINDS.get(typing.get_origin(part) or part, "")


def choices_of(part):
    if typing.get_origin(part) is typing.Literal:
        return [value for value in typing.get_args(part) if isinstance(value, str)]
    if isinstance(part, type) and issubclass(part, enum.Enum):
        return [member.value for member in part]
    return []


settings, choices = {}, {}
for cls in _TRAIN_ARGS:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.init:
            found = parts(hints[field.name])
            kinds = {kind_of(part) for part in found}
            if field.name == "fsdp":  # as its documentation says
                kinds.add("bool")
            settings[field.name] = [] if "" in kinds else sorted(kinds)
            if some := [value for part in found for value in choices_of(part)]:
                choices[field.name] = some
thoughts = {
    name: [word.strip() for word in template.thought_words]
    for name, template in sorted(TEMPLATES.items())
    if isinstance(template, ReasoningTemplate)
}
names = {"settings": dict(sorted(settings.items())), "choices": dict(sorted(choices.items()))}
names |= {"templates": sorted(TEMPLATES), "thoughts": thoughts}
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


def test_a_misspelt_setting_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean lora_dropout"):
        llamafactory.check_settings({"lora_dropuot": 0.1}, "finetune.llamafactory")


@pytest.mark.parametrize("section", ["finetune", "generate"])
@pytest.mark.parametrize(
    ("template", "near"), [("smolm2", "Did you mean smollm2?"), ("0000", "Check its spelling")]
)
def test_an_unknown_template_is_told_as_one(section: str, template: str, near: str) -> None:
    with pytest.raises(SettingsError) as refused:
        llamafactory.check_template(template, section)
    told = f"{section}.template = '{template}' is no template of LLaMA-Factory 0.9.5"
    assert (refused.value.what, refused.value.remedy) == (told, near)


WRONG: dict[str, object] = {
    "null": None,
    "bool": True,
    "int": 12,
    "float": 0.5,
    "text": "strange",
    "list": ["strange"],
    "mapping": {"strange": 1},
}
ALSO = {  # what is taken for another kind, beside the kinds that a setting declares
    "null": ("bool",),
    "int": ("float",),
    "list": ("text",),
}


@pytest.mark.parametrize("name", sorted(llamafactory.names()["settings"]))
def test_a_value_of_another_kind_is_refused_by_its_setting(name: str) -> None:
    """Every kind of value, of every setting that declares which it takes."""
    if name in llamafactory.RESERVED or name.endswith(("_token", "_api_key", "_secret", "_url")):
        return
    kinds = llamafactory.names()["settings"][name]
    choices = llamafactory.names()["choices"].get(name, ())
    for kind, value in WRONG.items():
        taken = not kinds or bool({kind, *ALSO.get(kind, ())} & set(kinds))
        if choices and kind != "null":
            taken = kind == "bool" and "bool" in kinds
        if taken:
            llamafactory.check_settings({name: value}, "generate.llamafactory")
            continue
        with pytest.raises(SettingsError) as refused:
            llamafactory.check_settings({name: value}, "generate.llamafactory")
        what = f"generate.llamafactory.{name} = {value!r}: LLaMA-Factory takes "
        assert refused.value.what.startswith(what)
        assert refused.value.remedy
    for choice in choices:
        llamafactory.check_settings({name: choice}, "generate.llamafactory")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rope_scaling": "yarm"}, r"takes linear, dynamic, yarn or llama3\. Did you mean yarn\?"),
        ({"eval_strategy": False}, r"takes no, steps or epoch\. Put it in quotes"),
        ({"run_name": 2024}, r"takes text\. Put it in quotes"),
        (
            {"lora_alpha": "16"},
            r"takes a whole number\. Correct finetune\.llamafactory\.lora_alpha",
        ),
        ({"lora_alpha": 1.5}, "takes a whole number"),
        ({"optim": "adamw"}, r"takes adamw_torch, .* or others\. Did you mean \w*adamw"),
    ],
)
def test_what_a_setting_takes_is_told(given: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        llamafactory.check_settings(given, "finetune.llamafactory")


@pytest.mark.parametrize(
    "given",
    [
        {"lora_alpha": 16.0},  # as a pipeline's JSON has it
        {"bf16": 1},
        {"resize_vocab": None},
        {"lora_target": ["q_proj", "v_proj"]},
        {"weight_decay": 0},
        {"fsdp": True},
        {"deepspeed": {"zero_optimization": {"stage": 3}}},
    ],
)
def test_what_llamafactory_makes_a_value_of_is_taken(given: dict[str, object]) -> None:
    llamafactory.check_settings(given, "finetune.llamafactory")


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
