"""What Kubernetes' objects say, read by name."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def condition(owner: Object, kind: str, status: str = "True") -> Object | None:
    """Return the last condition of that kind: Volcano appends them."""
    of_kind = [
        entry
        for entry in owner.get("status", {}).get("conditions") or ()
        if entry["type"] == kind and entry["status"] == status
    ]
    return of_kind[-1] if of_kind else None


def leaves(subject: Object) -> bool:
    """Return whether an object is being deleted."""
    return "deletionTimestamp" in subject["metadata"]


def containers(pod: Object) -> list[Object]:
    """Return the states of the pod's containers."""
    return list(pod["status"].get("containerStatuses") or ())


def ended(pod: Object) -> Object:
    """Return how the pod's container ended, {} where it has not."""
    for container in containers(pod):
        if end := container.get("state", {}).get("terminated"):
            return dict(end)
    return {}
