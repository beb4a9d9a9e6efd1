"""What a model is asked: as the child process that holds it is told, and as LLaMA-Factory is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.share import WHOLE, Share

JOB, SECONDS, DEVICE = "job.json", "seconds.json", "device.json"
DECODING = "decoding.json"
MEANS, ERROR = "means.json", "error.json"
READ = "read.jsonl"
TRANSFORMERS = "transformers"  # the engine that can do whatever LLaMA-Factory trains


@dataclass(frozen=True, kw_only=True)
class GenerateJob:
    """A model (`base`, `adapter`, `digest` and `base_digest` as in model.Model, `config_digest`
    over what its folders say beside the weights), the seed that it is loaded with, the samples by
    their hash, GenerateSettings as plain `settings`, the `versions` and the `engine` that answer:
    all that the answers depend on. `spread` are LLaMA-Factory's settings that spread a model over
    all devices, where it needs several, to be evaluated."""

    base: str
    base_name: str
    adapter: str
    digest: str
    load_seed: int
    dataset_hash: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)
    spread: Mapping[str, Any] = field(default_factory=dict)
    engine: str = TRANSFORMERS
    base_digest: str = ""
    config_digest: str = ""

    @property
    def adapters(self) -> tuple[str, ...]:
        """The folders of its adapters, which stand in `adapter` as LLaMA-Factory takes them, with
        commas between."""
        return tuple(self.adapter.split(",")) if self.adapter else ()

    @property
    def folders(self) -> tuple[str, ...]:
        """What is loaded, in its order: the adapters and the base."""
        return (*self.adapters, self.base)


@dataclass(frozen=True, kw_only=True)
class Means:
    """With what a job is done, which changes no answer: GenerateSettings of these names, and which
    `share` of it is done here."""

    devices: int = 0
    devices_each: int = 0
    max_unanswered: float = 0.5
    share: Share = WHOLE


def loading(job: GenerateJob) -> dict[str, Any]:
    """Return the arguments by which LLaMA-Factory loads the model."""
    arguments = {
        **job.settings["llamafactory"],
        "model_name_or_path": job.base,
        "template": job.settings["template"],
        "cutoff_len": job.settings["cutoff_len"],
    }
    if job.adapter:
        arguments |= {"adapter_name_or_path": job.adapter, "finetuning_type": "lora"}
    return arguments


def decoding(job: GenerateJob) -> dict[str, Any]:
    """Return the arguments by which LLaMA-Factory has it answer."""
    names = ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "repetition_penalty")
    return {name: job.settings[name] for name in names}
