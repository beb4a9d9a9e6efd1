"""Where a GPU stage runs: in its own process, or in a Volcano Job; the section `cluster`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

from assay.errors import SettingsError
from assay.kubernetes import (
    MOST,
    is_extended,
    is_image,
    is_label,
    is_label_value,
    is_name,
    quantity,
)

RUNNER = "ASSAY_RUNNER"
GPU = "nvidia.com/gpu"
# How the makers' device plugins call what a model computes on; others offer network cards and such.
_COMPUTES = re.compile(
    r"/.*(gpu|mig-|npu|ascend|tpu|gaudi|neuron|xpu|mlu|dcu|gcu|i915|vacc)", re.IGNORECASE
)
# ... and how much of one a pod has, which is asked for beside it
_AMOUNT = re.compile(r"/.*(mem|memory|cores?|percentage|priority|ratio)\Z", re.IGNORECASE)
_WHOLE = re.compile(r"/neuron-?core\Z", re.IGNORECASE)
AUTO, INLINE = "auto", "inline"
# A queue system by its name -> the module whose `find` returns it: see assay.queues.
QUEUES = {"volcano": "assay.volcano.queue"}
# What is less, or more, than any worker has: a unit was forgotten, or is that of the other one.
_LEAST_MEMORY, _MOST_CPU = Decimal(2**24), Decimal(10_000)


@dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint of nodes that a worker may run on all the same, in Kubernetes' own words; empty is
    any key, any value, any effect."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """How the GPU stages, fine-tuning and generation, run on a cluster.

    `runner` is a queue system (volcano), inline for the task's own pod, or auto: the queue system
    that the cluster serves, inline without one. A Job has `nodes` pods of a fine-tune, which train
    together, or `replicas` pods of a generation, each of which loads the model and answers its
    share of the samples, of `gpus` GPUs, `cpu` and `memory` (Kubernetes quantities) each, in
    `queue`, with `priority_class`. A GPU is one of `accelerator`, an extended resource of
    Kubernetes by its name. `node_selector` has the labels that a node must have, `tolerations` its
    taints that do not matter, each beside what is set on the task. `retries` counts restarts of the
    whole Job after a pod failed or was evicted, or, of several `replicas`, of those that failed
    alone;
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
    nodes: Annotated[int, Ge(1), Le(MOST)] = 1
    replicas: Annotated[int, Ge(1), Le(MOST)] = 1
    gpus: Annotated[int, Ge(0), Le(MOST)] = 1
    accelerator: str = GPU
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    cpu: str = ""
    memory: str = ""
    retries: Annotated[int, Ge(0), Lt(MOST)] = 0
    timeout_s: Annotated[float, Ge(0)] = 0.0
    ttl_seconds: Annotated[int, Ge(0), Le(MOST)] = 3600
    image: str = ""
    autoscaled: bool = False
    lease_s: Annotated[float, Ge(0)] = 600.0
    closed_s: Annotated[float, Ge(0)] = 600.0
    store_secret: str = "assay-store"  # noqa: S105  the name of a Secret


def check(settings: ClusterSettings) -> None:
    """Raise SettingsError for settings that contradict each other, and for what Kubernetes would
    refuse wherever it runs."""
    _check_runner(settings)
    for name in ("queue", "priority_class", "store_secret"):
        _check_name(name, getattr(settings, name))
    if settings.image and not is_image(settings.image):
        raise SettingsError(
            f"cluster.image = {settings.image!r} is no name of an image",
            "Write it as registry.example/team/assay-gpu:0.1.0, in lower case and without https://",
        )
    if not is_extended(settings.accelerator):
        raise SettingsError(
            f"cluster.accelerator = {settings.accelerator!r} is no extended resource of Kubernetes",
            "Write it as the nodes offer it (kubectl describe node), such as nvidia.com/gpu, "
            "nvidia.com/mig-1g.10gb, amd.com/gpu or huawei.com/Ascend910",
        )
    _check_amounts(settings)
    _check_nodes(settings)


def _check_runner(settings: ClusterSettings) -> None:
    runners = (AUTO, INLINE, *QUEUES)
    if settings.runner not in runners:
        raise SettingsError(
            f"cluster.runner = {settings.runner!r} is none that there is",
            f"Set it to {' or '.join(runners)}",
        )
    for name, pods in (("nodes", settings.nodes), ("replicas", settings.replicas)):
        if settings.runner == INLINE and pods > 1:
            raise SettingsError(
                f"cluster.{name} is {pods} and cluster.runner is inline, which is one pod",
                f"Set cluster.runner to auto, or cluster.{name} to 1",
            )


def _check_name(name: str, value: str) -> None:
    """Empty stands for none, where there may be none: a queue and a Secret have a usual one."""
    usual = getattr(ClusterSettings, name)
    if not is_name(value) and (value or usual):
        raise SettingsError(
            f"cluster.{name} = {value!r} is no name of an object of Kubernetes",
            "Write it as the cluster has it: lower case letters, digits, - and ."
            + (f"; {usual} is the usual one" if usual else ""),
        )


def _check_amounts(settings: ClusterSettings) -> None:
    for name, amount in (("cpu", settings.cpu), ("memory", settings.memory)):
        if amount and not _is_amount(amount):
            raise SettingsError(
                f"cluster.{name} = {amount!r} is no quantity of Kubernetes",
                "Write it as 16 or 500m, and memory as 200Gi",
            )
    if settings.cpu and quantity(settings.cpu) > _MOST_CPU:
        raise SettingsError(
            f"cluster.cpu = {settings.cpu!r} is more cores than any node has",
            "Write it in cores, as 16, or in thousandths of one, as 500m",
        )
    if settings.memory and 0 < quantity(settings.memory) < _LEAST_MEMORY:
        raise SettingsError(
            f"cluster.memory = {settings.memory!r} is too little for any program to start: without "
            "a unit it is bytes, and m is thousandths of one",
            "Write it with its unit, as 200Gi",
        )


def _check_nodes(settings: ClusterSettings) -> None:
    for key, value in settings.node_selector.items():
        if not (is_label(key) and is_label_value(value)):
            raise SettingsError(
                f"cluster.node_selector: {key}: {value} is no label of Kubernetes",
                "Write it as the nodes have it (kubectl get nodes --show-labels)",
            )
    for toleration in settings.tolerations:
        key, value = toleration.key, toleration.value
        if toleration.operator == "Exists" and value:
            raise SettingsError(
                f"cluster.tolerations: {key} has operator Exists and value {value}",
                "Take out one of them: Exists is any value",
            )
        if (key and not is_label(key)) or (toleration.operator == "Equal" and not key):
            raise SettingsError(
                f"cluster.tolerations: {key!r} is no key of a taint of Kubernetes",
                "Write it as the nodes have it (kubectl describe node), or no key and operator: "
                "Exists for any taint",
            )
        if not is_label_value(value):
            raise SettingsError(
                f"cluster.tolerations: {value!r} is no value of a taint of Kubernetes",
                "Write it as the nodes have it (kubectl describe node)",
            )


def is_accelerator(resource: str) -> bool:
    """Return whether an extended resource of Kubernetes is, by its name, a device that a model
    computes on, or a part of one."""
    part = _AMOUNT.search(resource) and not _WHOLE.search(resource)
    return bool(_COMPUTES.search(resource)) and not part


def _is_amount(text: str) -> bool:
    try:
        return quantity(text) >= 0
    except ValueError:
        return False


def runner() -> str:
    """Return where this process runs its stage, as the report's provenance shows it."""
    return os.environ.get(RUNNER, INLINE)
