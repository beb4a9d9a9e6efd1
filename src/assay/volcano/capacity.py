"""What preflight asks of the cluster, so that what it could never run is refused before any Job.

Each question needs a right; where that is missing, a line says so, and the launcher finds out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay import store
from assay.errors import InputError, check_all
from assay.kubernetes import quantity
from assay.placement import GPU, ClusterSettings, is_accelerator
from assay.queues import Stage, TaskConfig, check_place
from assay.text import flat
from assay.volcano import job
from assay.volcano.api import Api, ApiError, nodes, patiently, priority_class, queue, request
from assay.volcano.nodes import selected, taints

PATIENCE_SECONDS = 20.0
LESS = "Ask for less (cluster.nodes, gpus, cpu, memory)"

Object = dict[str, Any]
Amounts = Mapping[str, Any]


def check(api: Api, stage: Stage, settings: ClusterSettings, artifacts: str) -> None:
    """Raise InputError, with a line for each problem, where this cluster could never run the Job
    of `stage`; `artifacts` is a URI under the pipeline's root."""
    workers = job.together(stage, settings)
    asked = job.resources(settings, TaskConfig()).get("requests", {})
    each = {name: amount for name, amount in asked.items() if quantity(amount)}
    check_all(
        lambda: _check_store(settings, artifacts),
        lambda: _check_queue(_look(api, queue(settings.queue)), settings.queue, workers, each),
        lambda: _check_priority(api, settings.priority_class),
        lambda: _check_nodes(api, settings, workers, each),
    )


def _check_store(settings: ClusterSettings, artifacts: str) -> None:
    """Use the credentials that this pod has from the workers' Secret. Another Secret is left alone:
    the right to look at it would be the right to read the keys in it."""
    check_place(artifacts)
    if settings.store_secret == ClusterSettings.store_secret:
        store.exists(artifacts)


def _check_queue(answer: Object | None, name: str, workers: int, each: Amounts) -> None:
    if answer is None:
        return
    if not answer:
        raise InputError(f"the cluster has no queue {name}", "Correct cluster.queue")
    state = answer.get("status", {}).get("state") or "Open"
    if state != "Open":
        raise InputError(f"the queue {name} is {state}", "Correct cluster.queue, or open it")
    given = (answer.get("spec") or {}).get("capability") or {}
    limits = {
        resource: _checked(given, resource, f"queue {name}")
        for resource in each
        if resource in given
    }
    over = [
        f"{workers} x {each[resource]} {resource}, and its capability is {limit}"
        for resource, limit in limits.items()
        if workers * quantity(each[resource]) > quantity(limit)
    ]
    if over:
        raise InputError(
            f"the Job would ask queue {name} for {'; '.join(over)}",
            f"{LESS}, or have the capability raised",
        )


def _check_priority(api: Api, name: str) -> None:
    if name and _look(api, priority_class(name)) == {}:
        raise InputError(
            f"the cluster has no priority class {name}", "Correct cluster.priority_class"
        )


def _check_nodes(api: Api, settings: ClusterSettings, workers: int, each: Amounts) -> None:
    """Count how many workers empty nodes would hold. Where nodes are added when they are needed,
    those that there are say nothing."""
    if settings.autoscaled or not (each or settings.node_selector):
        return
    # from the server's cache, which is enough and costs it little
    if (listed := _look(api, nodes(), {"resourceVersion": "0"})) is None:
        return
    items = _selected(listed["items"], settings)
    if not each:
        return
    rooms = [_room(node, each) for node in items]
    room = sum(_holds(node_room, each) for node_room in rooms)
    if room < workers:
        most = {
            name: max((node_room[name] for node_room in rooms), key=quantity, default="0")
            for name in each
        }
        raise InputError(
            f"the Job would have {workers} x ({_said(each)}), and the cluster's nodes hold {room}; "
            f"the most that one has is {_said(most)}",
            f"{_offer(items, each)}{LESS}, or set cluster.autoscaled if nodes are added "
            "when they are needed",
        )
    kept_off = [taints(node, settings.tolerations) for node in items]
    free = sum(_holds(one, each) for one, why in zip(rooms, kept_off, strict=True) if not why)
    _tell_taints(free, workers, kept_off)


def _selected(items: Sequence[Object], settings: ClusterSettings) -> list[Object]:
    """Return the nodes that have the labels. Raises InputError where there are nodes, and none."""
    found = selected(items, settings.node_selector)
    if items and not found:
        labels = ", ".join(f"{key}={value}" for key, value in settings.node_selector.items())
        raise InputError(
            f"no node of the cluster has the labels {labels}",
            "Correct cluster.node_selector, or set cluster.autoscaled if nodes are added when they "
            "are needed",
        )
    return found


def _tell_taints(free: int, workers: int, kept_off: Iterable[Iterable[str]]) -> None:
    """Say which taints keep workers off, where the nodes without one hold too few."""
    if free < workers:
        said = ", ".join(sorted({taint for why in kept_off for taint in why}))
        print(
            flat(
                f"preflight: the nodes without a taint hold {free} of {workers} workers: name "
                f"{said} in cluster.tolerations, unless the pipeline or the cluster does so"
            ),
            flush=True,
        )


def _offer(items: Iterable[Object], each: Amounts) -> str:
    """Return what to set where the nodes have accelerators, and none of the kind that is asked."""
    there = {name for node in items for name in (node.get("status") or {}).get("allocatable") or {}}
    asked = [name for name in each if is_accelerator(name)]
    others = sorted(filter(is_accelerator, there))
    if not asked or not others or set(asked) & there:
        return ""
    return f"Set cluster.accelerator to what the nodes have ({', '.join(others)}). "


def _holds(room: Amounts, each: Amounts) -> int:
    """Return how many workers an empty node would hold."""
    times = (int(quantity(room[name]) // quantity(amount)) for name, amount in each.items())
    return max(0, min(times))


def _room(node: Object, each: Amounts) -> Amounts:
    """Return what a node has of each resource. A GPU may be of any maker: what is set on the task,
    which is not known here, wins over the section's."""
    has = (node.get("status") or {}).get("allocatable") or {}
    owner = f"node {node['metadata']['name']}"
    gpus = [name for name in has if name.endswith("/gpu")]
    names = {name: gpus if name == GPU else [name] for name in each}
    return {name: _most(has, names[name], owner) for name in each}


def _most(amounts: Amounts, names: Iterable[str], owner: str) -> Any:
    offers = [_checked(amounts, name, owner) for name in names if name in amounts]
    return max(offers, key=quantity, default="0")


def _checked(amounts: Amounts, resource: str, owner: str) -> Any:
    """Return what `owner` has of a resource, as it is written there, once it is a quantity."""
    amount = amounts[resource]
    try:
        quantity(amount)
    except ValueError:
        raise InputError(
            f"{owner} has {str(amount)[:60]!r} as its {resource}, which is no quantity",
            "Have it corrected on the cluster: a number, or text such as 16 or 200Gi",
        ) from None
    return amount


def _said(amounts: Amounts) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in amounts.items())


def _look(api: Api, path: str, query: Mapping[str, str] | None = None) -> Object | None:
    """Return what is there, {} for nothing, or None, after a line that says why, where this
    process cannot know."""
    try:
        return patiently(lambda: request(api, "GET", path, query=query), PATIENCE_SECONDS)
    except ApiError as error:
        if error.status == 404:
            return {}
        remedy = "; manifests/ gives the right" if error.status == 403 else ""
        print(flat(f"preflight: not checked: {error.message}{remedy}"), flush=True)
        return None
