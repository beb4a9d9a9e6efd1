"""How a model that no single device holds is evaluated: over several processes, each with a part of
its weights, by the settings that it was trained with as far as an evaluation can take them.

Transformers evaluates by DeepSpeed only with ZeRO-3, and accelerate prepares a model for FSDP2 only
together with its optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import store
from assay.errors import SettingsError
from assay.llamafactory.job import GenerateJob

# where ZeRO-3 has parameters; all else is of the training, or is a number of this evaluation's own
_PLACES = ("offload_param", "stage3_")
_HALF = {"bfloat16": "bf16", "float16": "fp16"}


def is_said(spread: Mapping[str, Any]) -> bool:
    """Return whether the settings say how to spread a model."""
    return bool(spread.get("deepspeed") or spread.get("fsdp"))


def arguments(job: GenerateJob, dtype: str) -> dict[str, Any]:
    """Return the arguments by which LLaMA-Factory evaluates the job's model in parts, with weights
    of this `dtype`; for FSDP this process is told, too, to lay no whole model on its device. Raises
    InputError where a file of settings cannot be read, and for several adapters where they cannot
    be merged."""
    if job.spread.get("deepspeed"):
        _check_one(job.adapters)
        return _by_deepspeed(_mapping(job.spread, "deepspeed"), dtype)
    return _by_fsdp(job.spread["fsdp"], _mapping(job.spread, "fsdp_config"))


def keep_buffers(model: Any) -> None:
    """Have what the model holds beside its weights stay as it was loaded, when it is evaluated:
    with these DeepSpeed rounds to 16 bits what one device keeps in 32, such as the frequencies by
    which places are told."""
    kept = [
        (module, name, buffer)
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]

    def restore(*_: Any) -> None:
        for module, name, buffer in kept:
            if (now := getattr(module, name)).dtype != buffer.dtype:
                setattr(module, name, buffer.to(now.device))

    model.register_forward_pre_hook(restore)


def _check_one(adapters: Sequence[str]) -> None:
    if len(adapters) > 1:
        raise SettingsError(
            f"{len(adapters)} adapters are on top of each other, and ZeRO-3 merges none: their "
            "loss cannot be evaluated by generate.llamafactory.deepspeed",
            'Set deepspeed: null and fsdp: "full_shard auto_wrap", or evaluate_loss: false',
        )


def _by_deepspeed(config: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Return the arguments for ZeRO-3, whose weights are then of the `dtype` that one device would
    have them in."""
    zero = config.get("zero_optimization", {})
    half = {short: dtype == name for name, short in _HALF.items()}
    places = {name: zero[name] for name in zero if name.startswith(_PLACES)}
    return {
        **half,
        "deepspeed": {
            "zero_optimization": {**places, "stage": 3},
            "train_batch_size": "auto",
            "train_micro_batch_size_per_gpu": "auto",
            **{short: {"enabled": "auto"} for short in half},
        },
    }


def _by_fsdp(how: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for FSDP1, of which the first process alone reads the weights."""
    from accelerate.utils import enable_fsdp_ram_efficient_loading

    enable_fsdp_ram_efficient_loading()
    given = {name.removeprefix("fsdp_"): value for name, value in config.items()}
    if str(given.pop("version", 1)) != "1":
        given.pop("reshard_after_forward", None)  # whose values are others in FSDP1
    given |= {"cpu_ram_efficient_loading": True, "sync_module_states": True}
    return {"fsdp": how, "fsdp_config": given}


def _mapping(spread: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the settings under a name, which may stand in a file."""
    given = spread.get(name) or {}
    if isinstance(given, Mapping):
        return given
    if not Path(given).is_file():
        raise SettingsError(f"{given}, which {name} names, is not there", f"Correct {name}")
    return dict(store.read_json(Path(given)))
