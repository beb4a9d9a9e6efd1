"""The server's command line: what Assay decides, and any setting of vLLM by its own name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.engine.vllm.architecture import Architecture
from assay.engine.vllm.decoding import Room
from assay.engine.vllm.gpus import Parallelism
from assay.engine.vllm.settings import known
from assay.engine.vllm.weights import BASE, MOST_RANK, TUNED, ServedWeights
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Prompt

_REVISIONS = ("revision", "tokenizer_revision")
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, MOST_RANK)


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
            if any(each.settings.get(name) == "switch" for each in known()):
                yield f"--no-{flag}"
        elif isinstance(value, list):
            yield from (f"--{flag}", *map(str, value))
        else:
            yield f"--{flag}"
            yield json.dumps(value) if isinstance(value, Mapping) else str(value)
