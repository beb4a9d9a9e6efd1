"""Which nodes a worker may run on, by their labels and taints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.placement import Toleration
from assay.volcano.pods import Object

_KEEPS_AWAY = ("NoSchedule", "NoExecute")
_OF_A_CONDITION = "node.kubernetes.io/"  # such as a node that was cordoned: it passes


def selected(nodes: Iterable[Object], selector: Mapping[str, str]) -> list[Object]:
    """Return the nodes that have all labels of the selector."""
    return [
        node for node in nodes if selector.items() <= (node["metadata"].get("labels") or {}).items()
    ]


def taints(node: Object, tolerations: Iterable[Toleration]) -> list[str]:
    """Return the taints that keep a worker off a node, as kubectl writes them."""
    tolerations = list(tolerations)
    found = (node.get("spec") or {}).get("taints") or ()
    return [
        _said(taint)
        for taint in found
        if taint.get("effect") in _KEEPS_AWAY
        and not taint["key"].startswith(_OF_A_CONDITION)
        and not any(_tolerates(each, taint) for each in tolerations)
    ]


def _tolerates(toleration: Toleration, taint: Object) -> bool:
    same = toleration.operator == "Exists" or toleration.value == (taint.get("value") or "")
    return (
        same
        and toleration.key in ("", taint["key"])
        and toleration.effect in ("", taint.get("effect"))
    )


def _said(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"
