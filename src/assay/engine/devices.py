"""Which devices a model answers on: a group of them for each process, as many as it needs.

A process sees its own devices and no other, by the variables of their maker.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay import llamafactory, process, store
from assay.errors import SettingsError
from assay.llamafactory.job import GenerateJob, Means
from assay.model import files

# of a device's free memory; the rest is for the batch
_FOR_WEIGHTS = 0.7

Devices = Mapping[str, str]
"""The environment of a process: which devices it sees."""


def groups(job: GenerateJob, means: Means) -> list[Devices]:
    """Return a group for each process that answers `job`, by the `means` that are asked for.

    Without an accelerator a process is a device, and one is used unless more are asked for. Raises
    SettingsError for more than there are.
    """
    devices, each = means.devices, means.devices_each
    seen = in_sight()
    if not seen:
        _check(devices, process.cores(), "cores")
        return [llamafactory.only(os.environ, [0])] * max(1, devices)
    _check(devices, seen, "devices in sight")
    used = devices or seen
    takes = each or (min(used, needed(weights(job), free()[:used])) if used > 1 else 1)
    _check(takes, used, "devices used", "devices_each")
    return [
        llamafactory.only(os.environ, range(first, first + takes))
        for first in range(0, used - takes + 1, takes)
    ]


def size(group: Devices) -> int:
    """Return how many devices are in a group."""
    return max((len(seen.split(",")) for seen in group.values()), default=1)


def in_sight() -> int:
    """Return how many accelerators this process sees, none of which it begins to use."""
    import torch

    return int(torch.accelerator.device_count())


def free() -> list[int]:
    """Return how many bytes each of the devices in sight has free, none where they do not say."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        answer, log = Path(folder) / "memory.json", Path(folder) / "memory.log"
        process.run(
            process.python("assay.engine.memory", str(answer)), log=log, what="Looking for memory"
        )
        return list(store.read_json(answer))


def needed(size: int, free_bytes: Sequence[int]) -> int:
    """Return how many devices, of which each has so many bytes free, weights of `size` bytes
    take."""
    room = _FOR_WEIGHTS * max(1, min(free_bytes, default=0))  # a device may have none at all
    return max(1, math.ceil(size / room)) if free_bytes else 1


def weights(job: GenerateJob) -> int:
    """Return how many bytes the model's weights have, 0 of a hub id, which are not here yet."""
    return files.size(Path(job.base))


def narrow(means: Means) -> None:
    """Have this process, and what it starts, see as many devices as are to be used."""
    if means.devices and in_sight():
        os.environ.update(llamafactory.only(os.environ, range(means.devices)))


def _check(asked: int, there: int, what: str, name: str = "devices") -> None:
    if asked > there:
        raise SettingsError(
            f"generate.{name} is {asked}, and there are {there} {what}",
            f"Set generate.{name} to {there} or less, or 0",
        )
