"""Where a GPU stage runs: in its own process, or in a Volcano Job; the section `cluster`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge

from assay.errors import SettingsError
from assay.settings import check_names

RUNNER = "ASSAY_RUNNER"
AUTO, INLINE = "auto", "inline"
# A queue system by its name -> the module whose `find` returns it: see assay.queues.
QUEUES = {"volcano": "assay.volcano.queue"}
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?")
_UNITS = {
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """How the GPU stages, fine-tuning and generation, run on a cluster.

    `runner` is a queue system (volcano), inline for the task's own pod, or auto: the queue system
    that the cluster serves, inline without one. A Job has `nodes` pods (fine-tuning; generation
    has one) of `gpus` GPUs, `cpu` and `memory` (Kubernetes quantities) each, in `queue`, with
    `priority_class`. `retries` counts restarts of the whole Job after a pod failed or was evicted;
    `timeout_s` bounds waiting and running together, and `ttl_seconds` how long a finished Job is
    kept; 0 is no limit for the first. `image` is the workers', empty: the task's own. `autoscaled`
    says that nodes are added when they are needed, so that a Job may ask for more than there is.
    The entries of `store_secret` are the workers' environment (AWS_ENDPOINT_URL_S3 and so on).
    """

    runner: str = AUTO
    queue: str = "default"
    priority_class: str = ""
    nodes: Annotated[int, Ge(1)] = 1
    gpus: Annotated[int, Ge(0)] = 1
    cpu: str = ""
    memory: str = ""
    retries: Annotated[int, Ge(0)] = 0
    timeout_s: Annotated[float, Ge(0)] = 0.0
    ttl_seconds: Annotated[int, Ge(0)] = 3600
    image: str = ""
    autoscaled: bool = False
    store_secret: str = "assay-store"  # noqa: S105  the name of a Secret


def check(settings: ClusterSettings) -> None:
    """Raise SettingsError for settings that contradict each other, and for wrong quantities."""
    check_names({settings.runner: None}, (AUTO, INLINE, *QUEUES), "cluster.runner")
    if settings.runner == INLINE and settings.nodes > 1:
        raise SettingsError(
            f"cluster.nodes is {settings.nodes} and cluster.runner is inline, which is one pod",
            "Set cluster.runner to auto, or cluster.nodes to 1",
        )
    for name, amount in (("cpu", settings.cpu), ("memory", settings.memory)):
        if amount and not _QUANTITY.fullmatch(amount):
            raise SettingsError(
                f"cluster.{name} = {amount!r} is no quantity of Kubernetes",
                "Write it as 16 or 500m, and memory as 200Gi",
            )


def quantity(text: str) -> Decimal:
    """Return the number, exactly, that a quantity of Kubernetes stands for."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(text)
    number, exponent, unit = found.groups()
    return Decimal(number + (exponent or "")) * _UNITS.get(unit, 1)


def runner() -> str:
    """Return where this process runs its stage, as the report's provenance shows it."""
    return os.environ.get(RUNNER, INLINE)
