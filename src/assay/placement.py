"""Where a GPU stage runs: in its own process, or in a Volcano Job; the section `cluster`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal
from typing import Annotated

from annotated_types import Ge

from assay.errors import SettingsError
from assay.settings import check_names

RUNNER = "ASSAY_RUNNER"
GPU = "nvidia.com/gpu"
_EXTENDED = re.compile(
    r"(?!(?:.*\.)?kubernetes\.io/)[a-z0-9.-]+\.[a-z0-9.-]+/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
)
# How the makers' device plugins call what a model computes on; others offer network cards and such.
_COMPUTES = re.compile(
    r"/.*(gpu|mig-|npu|ascend|tpu|gaudi|neuron|xpu|mlu|dcu|gcu|i915|vacc)", re.IGNORECASE
)
AUTO, INLINE = "auto", "inline"
# A queue system by its name -> the module whose `find` returns it: see assay.queues.
QUEUES = {"volcano": "assay.volcano.queue"}
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,9})|([numkMGTPE]|[KMGTPE]i))?"
)
_LONGEST = 1000
_EXACT = Context(prec=2 * _LONGEST)
# Kubernetes takes what is more for the one, and rounds up to the other.
_MOST, _LEAST = Decimal(2**63 - 1), Decimal("1e-9")
_UNITS = {
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """How the GPU stages, fine-tuning and generation, run on a cluster.

    `runner` is a queue system (volcano), inline for the task's own pod, or auto: the queue system
    that the cluster serves, inline without one. A Job has `nodes` pods of a fine-tune, which train
    together, or `replicas` pods of a generation, each of which loads the model and answers its
    share of the samples, of `gpus` GPUs, `cpu` and `memory` (Kubernetes quantities) each, in
    `queue`, with `priority_class`. A GPU is one of `accelerator`, an extended resource of
    Kubernetes by its name. `retries` counts restarts of the whole Job after a pod failed or was
    evicted, or, of several `replicas`, of those that failed alone;
    `timeout_s` bounds waiting and running together, and `ttl_seconds` how long a finished Job is
    kept; 0 is no limit for the first. `image` is the workers', empty: the task's own. `autoscaled`
    says that nodes are added when they are needed, so that a Job may ask for more than there is.
    `lease_s` is how long a Job goes on without its task, 0: for ever; `closed_s` how long one waits
    in a queue that was closed.
    The entries of `store_secret` are the workers' environment (AWS_ENDPOINT_URL_S3 and so on).
    """

    runner: str = AUTO
    queue: str = "default"
    priority_class: str = ""
    nodes: Annotated[int, Ge(1)] = 1
    replicas: Annotated[int, Ge(1)] = 1
    gpus: Annotated[int, Ge(0)] = 1
    accelerator: str = GPU
    cpu: str = ""
    memory: str = ""
    retries: Annotated[int, Ge(0)] = 0
    timeout_s: Annotated[float, Ge(0)] = 0.0
    ttl_seconds: Annotated[int, Ge(0)] = 3600
    image: str = ""
    autoscaled: bool = False
    lease_s: Annotated[float, Ge(0)] = 600.0
    closed_s: Annotated[float, Ge(0)] = 600.0
    store_secret: str = "assay-store"  # noqa: S105  the name of a Secret


def check(settings: ClusterSettings) -> None:
    """Raise SettingsError for settings that contradict each other, and for wrong quantities."""
    check_names({settings.runner: None}, (AUTO, INLINE, *QUEUES), "cluster.runner")
    for name, pods in (("nodes", settings.nodes), ("replicas", settings.replicas)):
        if settings.runner == INLINE and pods > 1:
            raise SettingsError(
                f"cluster.{name} is {pods} and cluster.runner is inline, which is one pod",
                f"Set cluster.runner to auto, or cluster.{name} to 1",
            )
    if not _EXTENDED.fullmatch(settings.accelerator):
        raise SettingsError(
            f"cluster.accelerator = {settings.accelerator!r} is no extended resource of Kubernetes",
            "Write it as the nodes offer it (kubectl describe node), such as nvidia.com/gpu, "
            "nvidia.com/mig-1g.10gb, amd.com/gpu or huawei.com/Ascend910",
        )
    for name, amount in (("cpu", settings.cpu), ("memory", settings.memory)):
        if amount and not _is_amount(amount):
            raise SettingsError(
                f"cluster.{name} = {amount!r} is no quantity of Kubernetes",
                "Write it as 16 or 500m, and memory as 200Gi",
            )


def is_accelerator(resource: str) -> bool:
    """Return whether an extended resource of Kubernetes is, by its name, a device that a model
    computes on, or a part of one."""
    return bool(_COMPUTES.search(resource))


def _is_amount(text: str) -> bool:
    try:
        return quantity(text) >= 0
    except ValueError:
        return False


def quantity(amount: object) -> Decimal:
    """Return the number that a quantity of Kubernetes stands for, as Kubernetes holds it: in
    billionths, rounded away from zero, and at most 2^63 - 1. It is text, or the number that a
    custom resource such as a queue may have instead. Raises ValueError for anything else."""
    number = isinstance(amount, (int, float)) and not isinstance(amount, bool)
    text = str(amount) if number else amount
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) < _LONGEST else None
    if not match:
        raise ValueError(f"{text!r} is no quantity of Kubernetes")
    digits, exponent, unit = match.groups()
    value = Decimal(digits + (exponent or ""))
    if unit:
        value = _EXACT.multiply(value, _UNITS[unit])
    return max(-_MOST, min(_MOST, value)).quantize(_LEAST, ROUND_UP, _EXACT)


def runner() -> str:
    """Return where this process runs its stage, as the report's provenance shows it."""
    return os.environ.get(RUNNER, INLINE)
