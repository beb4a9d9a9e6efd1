"""The weights that are served: an adapter beside its base where vLLM can, else merged first."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import ending, model, process, store
from assay.engine.weights import prove
from assay.llamafactory import tied
from assay.llamafactory.job import ERROR, JOB, GenerateJob
from assay.llamafactory.prompts import Coder
from assay.llamafactory.whole import check_whole
from assay.model import headers

BASE, TUNED = "base", "tuned"
FOLDER = "vllm"
"""In a stage's folder: what is written for the server, which may be as large as the model."""
MOST_RANK = 512
# how a LoRA's matrices begin without a part of the base in them
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga", "true", "false", "none")
_OTHER_FORMS = {
    "use_dora": "DoRA",
    "modules_to_save": "modules_to_save",
    "lora_bias": "a bias",
    "alora_invocation_tokens": "aLoRA",
    "layer_replication": "layer_replication",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "target_parameters": "target_parameters",
    "trainable_token_indices": "trained tokens",
}
_RESIZING = ("resize_vocab", "add_tokens", "add_special_tokens", "new_special_tokens_config")
# LLaMA-Factory's settings that leave the model as vLLM loads it: of the tokenizer and the prompt,
# or told to vLLM, or of the folder that is written first
_SHARED = {
    *("cache_dir", "default_system", "enable_thinking", "flash_attn", "infer_dtype"),
    *("init_special_tokens", "low_cpu_mem_usage", "model_revision", "offload_folder"),
    *("preprocessing_num_workers", "preserve_thinking", "rope_scaling", "skip_special_tokens"),
    *("split_special_tokens", "tool_format", "trust_remote_code", "use_fast_tokenizer"),
    *("dataloader_num_workers", "use_kv_cache", *_RESIZING),
}


@dataclass(frozen=True, kw_only=True)
class ServedWeights:
    """What the server loads, and the `name` that answers: `base` is a directory or hub id,
    `adapter` the directory of the LoRA served beside it, of this `rank`, or ""."""

    base: str
    name: str = BASE
    adapter: str = ""
    rank: int = 0


def unservable(job: GenerateJob) -> str:
    """Return why vLLM cannot have this model's weights at all, "" where it can."""
    given = job.settings["llamafactory"]
    quantised = "quantization_config" in _json(Path(job.base) / "config.json")
    if job.adapter and quantised:
        return "its base is quantised, and nothing merges an adapter into that"
    others = sorted(name for name, value in given.items() if value and name not in _SHARED)
    return f"generate.llamafactory.{others[0]} is LLaMA-Factory's alone" if others else ""


def why_written(job: GenerateJob) -> str:
    """Return why the model has to be made one folder first, by LLaMA-Factory, "" where it is
    served as it is."""
    given = job.settings["llamafactory"]
    if any(given.get(name) for name in _RESIZING):
        return "its vocabulary is resized"
    if given.get("rope_scaling"):
        return "generate.llamafactory.rope_scaling changes it"
    if not job.adapter:
        return ""
    if len(job.adapters) > 1:
        return "its adapters are on top of each other"
    form = _form(_json(Path(job.adapter) / "adapter_config.json")) or _parts(Path(job.adapter))
    return f"vLLM serves no adapter with {form}" if form else ""


@contextmanager
def served(job: GenerateJob, coder: Coder) -> Iterator[tuple[ServedWeights, Path]]:
    """Yield what the server loads, and a folder to work in; what was written is gone afterwards.

    Raises StageError where the weights are not those that were looked at, and ModelError for a base
    or an adapter that is not whole, or of layers of another size: vLLM would take what there is."""
    prove(job)
    if not why_written(job):
        if job.adapter and Path(job.base).is_dir():
            model.check_fits(job.adapter, Path(job.adapter), job.base)
        if pairs := check_whole(coder.model):
            tied.check(_downloaded(job, coder), pairs)
    with _folder(coder.folder) as folder:
        if why_written(job):
            yield ServedWeights(base=_write(job, folder)), folder
        elif job.adapter:
            rank = _rank(_json(Path(job.adapter) / "adapter_config.json"))
            yield ServedWeights(base=job.base, name=TUNED, adapter=job.adapter, rank=rank), folder
        else:
            yield ServedWeights(base=job.base), folder


def _downloaded(job: GenerateJob, coder: Coder) -> Path:
    """Return the folder of the base, for a hub id where its files are on this machine."""
    if Path(job.base).is_dir():
        return Path(job.base)
    from transformers.utils import cached_file

    here = {"cache_dir": coder.model.cache_dir, "revision": coder.model.model_revision}
    name = coder.model.model_name_or_path
    return Path(cached_file(name, "config.json", local_files_only=True, **here)).parent


@contextmanager
def _folder(place: Path | None) -> Iterator[Path]:
    if place is None:
        with tempfile.TemporaryDirectory(prefix="assay-vllm-") as name:
            yield Path(name)
        return
    folder = place / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder  # the log stays where the server failed, and goes with the rest where not
    shutil.rmtree(folder)


def _write(job: GenerateJob, folder: Path) -> str:
    """Have LLaMA-Factory load the model as it is and write it as one; by a process of its own,
    whose memory is free afterwards."""
    store.write_json(folder / JOB, job)
    with ending.told(folder / ERROR):
        process.run(
            process.python("assay.engine.vllm.merge", str(folder)),
            log=folder / "merge.log",
            what="Making one model of it",
        )
    return str(folder / "model")


def _form(config: Mapping[str, Any]) -> str:
    """Return what an adapter has beside plain LoRA matrices, as its configuration says it."""
    if (kind := str(config.get("peft_type", "LORA"))) != "LORA":
        return kind
    for name, told in _OTHER_FORMS.items():
        if config.get(name):
            return told
    if config.get("bias", "none") != "none":
        return "a bias"
    start = str(config.get("init_lora_weights", True)).lower()
    if start not in _PLAIN_STARTS:
        return f"init_lora_weights: {start}"
    rank = _rank(config)
    return f"rank {rank} (at most {MOST_RANK})" if rank > MOST_RANK else ""


def _rank(config: Mapping[str, Any]) -> int:
    patterns: Mapping[str, int] = config.get("rank_pattern") or {}
    return max(int(config.get("r", 8)), *patterns.values(), 0)


def _parts(adapter: Path) -> str:
    """Return what an adapter's weights hold beside the matrices of inner layers."""
    file = adapter / "adapter_model.safetensors"
    if not file.is_file():
        return "weights that are no safetensors"
    for name in sorted(headers.tensors(file)):
        if not name.endswith((".lora_A.weight", ".lora_B.weight")) or ".lm_head." in name:
            return name.removeprefix("base_model.model.")
    return ""


def _json(path: Path) -> dict[str, Any]:
    value = store.read_json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
