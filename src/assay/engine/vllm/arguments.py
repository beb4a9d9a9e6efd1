"""The server's command line: what Assay decides, and any setting of vLLM by its own name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from assay.engine.vllm.architecture import Architecture
from assay.engine.vllm.decoding import Room
from assay.engine.vllm.gpus import Parallelism
from assay.engine.vllm.weights import BASE, MOST_RANK, TUNED, ServedWeights
from assay.errors import SettingsError
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Prompt
from assay.settings import check_names, check_secrets, shown

WHERE = "generate.vllm"
# What Assay decides itself, with the setting to use instead.
RESERVED = {
    "api_key": "nothing: the server is on the loopback",
    "config": "generate.vllm itself",
    "enable_lora": "model",
    "generation_config": "generate",
    "headless": "nothing: each pod serves itself",
    "host": "nothing: the server is on the loopback",
    "lora_modules": "model",
    "model": "model",
    "model_tag": "model",
    "nnodes": "nothing: each pod serves itself",
    "override_generation_config": "generate",
    "port": "nothing: a free one is taken",
    "revision": "generate.llamafactory.model_revision",
    "runner": "nothing: it generates",
    "seed": "generate.seed",
    "served_model_name": "model",
    "skip_tokenizer_init": "nothing: ids are all that it is given",
    "tokenizer": "model",
    "tokenizer_revision": "generate.llamafactory.model_revision",
    "trust_remote_code": "generate.llamafactory.trust_remote_code",
    "uds": "nothing: the server is on the loopback",
}
_REVISIONS = ("revision", "tokenizer_revision")
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, MOST_RANK)


@cache
def names() -> Mapping[str, Any]:
    """Return {"version", "settings"}: name -> "switch", "on" (a switch that is only set), a list of
    the values that there are, or "" for any; of the vLLM that Assay is pinned to."""
    text = resources.files(__package__).joinpath("names.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def check(given: Mapping[str, Any]) -> None:
    """Raise SettingsError for a setting that vLLM lacks, that Assay decides itself, or of a value
    that vLLM does not take."""
    for name in given:
        if name in RESERVED:
            raise SettingsError(f"{WHERE}.{name} is set by Assay", f"Use {RESERVED[name]}")
    known: Mapping[str, Any] = names()["settings"]
    check_names(given, known, WHERE)
    for name, value in given.items():
        check_secrets(value, f"{WHERE}.{name}")
        _check_value(name, value, known[name])


def _check_value(name: str, value: object, kind: Any) -> None:
    if kind in ("switch", "on"):
        if not isinstance(value, bool):
            raise SettingsError(
                f"{WHERE}.{name} = {shown(value)} is no switch", "Set true or false"
            )
    elif isinstance(value, bool) or value is None:
        raise SettingsError(f"{WHERE}.{name} = {shown(value)} is no value of it", f"Correct {name}")
    elif kind and str(value) not in kind:
        raise SettingsError(
            f"{WHERE}.{name} = {shown(value)} is none of {', '.join(kind)}", f"Correct {name}"
        )
    elif name.endswith("_parallel_size") and (not isinstance(value, int) or value < 1):
        raise SettingsError(
            f"{WHERE}.{name} = {shown(value)} is no number of GPUs", "Set 1 or more"
        )


def room(job: GenerateJob, of: Architecture) -> Room:
    """Return how many tokens the server has place for: the model's context, or as generate.vllm
    says."""
    asked = job.settings["vllm"].get("max_model_len")
    return Room(
        context=int(asked) if isinstance(asked, int) else of.context,
        answer=job.settings["max_new_tokens"],
    )


def command(
    job: GenerateJob,
    served: ServedWeights,
    of: Architecture,
    layout: Parallelism,
    longest: int,
    *,
    eager: bool,
) -> list[str]:
    """Return the arguments of a server that answers requests of `longest` tokens at most, prompt
    and answer together. `eager` spares it compiling the model."""
    loading = job.settings["llamafactory"]
    revision = loading.get("model_revision")
    decided: dict[str, Any] = {
        "model": served.base,
        "served_model_name": BASE,
        "generation_config": "vllm",  # none of the model's own settings of decoding
        "dtype": of.dtype,
        "max_model_len": longest,
        "tensor_parallel_size": layout.tensor,
        "pipeline_parallel_size": layout.pipeline,
        "data_parallel_size": layout.data,
        "disable_uvicorn_access_log": True,
        "enforce_eager": eager,
        **({"trust_remote_code": True} if loading.get("trust_remote_code") else {}),
        **(dict.fromkeys(_REVISIONS, revision) if revision else {}),
        **_adapter(served),
    }
    return [*_flags(decided | {**job.settings["vllm"], "max_model_len": longest})]


def longest(prompts: Sequence[Prompt], room: Room) -> int:
    """Return the most tokens that a prompt and its answer have together."""
    return max(len(prompt.tokens) + room.after(prompt) for prompt in prompts)


def _adapter(served: ServedWeights) -> dict[str, Any]:
    if not served.adapter:
        return {}
    rank = next(rank for rank in _RANKS if rank >= served.rank)
    module = json.dumps({"name": TUNED, "path": served.adapter})
    return {"enable_lora": True, "max_lora_rank": rank, "max_loras": 1, "lora_modules": [module]}


def _flags(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        flag = name.replace("_", "-")
        if value is True:
            yield f"--{flag}"
        elif value is False:
            if names()["settings"][name] == "switch":
                yield f"--no-{flag}"
        elif isinstance(value, list):
            yield from (f"--{flag}", *map(str, value))
        else:
            yield f"--{flag}"
            yield json.dumps(value) if isinstance(value, Mapping) else str(value)
