"""What Kubernetes' objects say, read by name."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def condition(owner: Object, kind: str, status: str = "True") -> Object | None:
    """Return the last condition of that kind: Volcano appends them."""
    found = [
        one
        for one in owner.get("status", {}).get("conditions") or ()
        if one["type"] == kind and one["status"] == status
    ]
    return found[-1] if found else None


def containers(pod: Object) -> list[Object]:
    """Return the states of the pod's containers."""
    return list(pod["status"].get("containerStatuses") or ())


def ended(pod: Object) -> Object:
    """Return how the pod's container ended, {} where it has not."""
    for container in containers(pod):
        if found := container.get("state", {}).get("terminated"):
            return dict(found)
    return {}
