"""What Assay knows of LLaMA-Factory without importing it: its names, and how a run is configured.

names.json lists the settings and templates of the pinned version, with the kinds of values that a
setting takes and the choices where they are few, so that a misspelt one is refused on a laptop or a
launcher that has no torch; a test compares it with the installed package.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from assay.errors import MissingExtraError, SettingsError
from assay.llamafactory import typed
from assay.settings import check_names, check_secrets, check_value

# What Assay decides itself, with the setting to use instead.
RESERVED = {
    "adapter_name_or_path": "model",
    "compute_accuracy": "generate.evaluate_loss",
    "cutoff_len": "cutoff_len",
    "dataset": "dataset.train",
    "dataset_dir": "dataset.train",
    "do_eval": "mode",
    "do_predict": "mode",
    "do_train": "finetune",
    "eval_dataset": "dataset.eval",
    "finetuning_type": "finetuning_type",
    "learning_rate": "learning_rate",
    "lora_rank": "lora_rank",
    "max_samples": "dataset.max_samples",
    "model_name_or_path": "base_model",
    "num_train_epochs": "epochs",
    "output_dir": "--out",
    "overwrite_output_dir": "--out",
    "per_device_eval_batch_size": "generate.batch_size",
    "per_device_train_batch_size": "batch_size",
    "predict_with_generate": "mode",
    "resume_from_checkpoint": "--out",
    "seed": "seed",
    "stage": "finetune (supervised fine-tuning is the stage that Assay runs)",
    "template": "template",
}

# What Assay sets for a training where the user does not.
DEFAULTS = ("logging_steps", "overwrite_cache", "report_to", "save_steps", "save_total_limit")

# Settings that change what the model sees or how it is loaded: evaluation inherits them from the
# run's own fine-tune, and all but what `withheld` names from a folder that came from elsewhere.
INHERITED = frozenset(
    {
        "add_special_tokens",
        "add_tokens",
        "default_system",
        "enable_thinking",
        "flash_attn",
        "init_special_tokens",
        "model_revision",
        "new_special_tokens_config",
        "preserve_thinking",
        "quantization_bit",
        "quantization_method",
        "quantization_type",
        "resize_vocab",
        "rope_scaling",
        "split_special_tokens",
        "tool_format",
        "trust_remote_code",
        "use_fast_tokenizer",
    }
)

# How a model that no single device holds is spread over all of them, to be trained and evaluated.
SPREAD = ("deepspeed", "fsdp", "fsdp_config")

_TRUSTED = ("trust_remote_code", "new_special_tokens_config")

# By which variable a process sees some of the devices of a maker that LLaMA-Factory counts, and
# whether it is set where it was not. HIP's own wins over CUDA's, which it knows too.
_DEVICES = {
    "CUDA_VISIBLE_DEVICES": True,
    "HIP_VISIBLE_DEVICES": False,
    "ASCEND_RT_VISIBLE_DEVICES": True,
    "ZE_AFFINITY_MASK": True,
}


@cache
def names() -> Mapping[str, Any]:
    """Return {"version", "settings", "choices", "templates", "thoughts"} of the LLaMA-Factory that
    Assay is pinned to; "thoughts" are the marks around a thought by each reasoning template."""
    text = resources.files(__name__).joinpath("names.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def marks(template: str, given: Sequence[str] = ()) -> tuple[str, str] | None:
    """Return the marks around a thought: the `given` ones, else those of the template, None where
    it is no reasoning template."""
    known: Mapping[str, Sequence[str]] = names()["thoughts"]
    found = given or known.get(template)
    return (found[0], found[1]) if found else None


def check_template(template: str, where: str) -> None:
    """Raise SettingsError unless LLaMA-Factory has this chat template."""
    known = f"template of LLaMA-Factory {names()['version']}"
    check_value(template, names()["templates"], f"{where}.template", known)


def check_settings(values: Mapping[str, Any], where: str) -> None:
    """Raise SettingsError for a setting that LLaMA-Factory lacks or that Assay decides itself, and
    for a value of another kind than it takes."""
    for name in values:
        if name in RESERVED:
            raise SettingsError(f"{where}.{name} is set by Assay", f"Use {RESERVED[name]}")
    settable = [name for name in names()["settings"] if not _secret(name)]
    check_names(values, settable, where)
    for name, value in values.items():
        check_secrets(value, f"{where}.{name}")
        typed.check(
            f"{where}.{name}", value, names()["settings"][name], names()["choices"].get(name)
        )


def inherited(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fine-tuning settings that evaluation must share."""
    return {name: values[name] for name in values if name in INHERITED or name in SPREAD}


def withheld(values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a model folder's `values` that only the user may ask for, and that the run's
    `own` settings do not: what has foreign code run, or a file read that the folder names."""
    asked = {name: values[name] for name in _TRUSTED if values.get(name) and name not in own}
    # the folder would choose which code of the base model's repository runs
    if own.get("trust_remote_code") and "model_revision" in values and "model_revision" not in own:
        asked["model_revision"] = values["model_revision"]
    # its kernels are fetched from the hub
    if values.get("flash_attn") == "fa3" and "flash_attn" not in own:
        asked["flash_attn"] = "fa3"
    return asked


def only(environment: Mapping[str, str], places: Sequence[int]) -> dict[str, str]:
    """Return the variables that leave a process those devices at the `places` (from 0) of the ones
    that `environment` does: with others in sight LLaMA-Factory evaluates only under torchrun."""
    variables = {}
    for name, always in _DEVICES.items():
        seen = environment[name].split(",") if name in environment else None
        if seen is None and always:
            variables[name] = ",".join(map(str, places))
        elif seen and any(seen):  # as many as are named; of another maker's there may be fewer
            variables[name] = ",".join(seen[place] for place in places if place < len(seen))
    return variables


def versions() -> dict[str, str]:
    """Return the versions that a model's numbers depend on. Raises MissingExtraError."""
    try:
        return {
            name: importlib.metadata.version(name)
            for name in ("assay", "llamafactory", "torch", "transformers", "peft")
        }
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtraError(str(error.name), "finetune") from None


def _secret(name: str) -> bool:
    """Whether a setting is a secret; a webhook's address is one, who knows it can write there."""
    return name.endswith(("_token", "_api_key", "_secret", "_webhook_url"))
