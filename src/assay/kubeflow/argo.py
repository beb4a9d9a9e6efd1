"""Which pods a task had: KFP's API tells Argo's nodes by their titles and their children by ids,
and an id is a hash of the node's path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

ATTEMPTS = 10
TEMPLATES = ("system-container-impl", "retry-system-container-impl")
_ATTEMPT = re.compile(r"\(\d+\)$")
_POD = re.compile(r"\.(?P<task>[^.()]+)\(\d+\)\.executor\((?P<attempt>\d+)\)$")


def pods(details: Sequence[Any]) -> dict[str, list[str]]:
    """Return the names that the pods of each task may have, by KFP's name of the task, the last
    attempt first."""
    ids = {child.pod_name for detail in details for child in detail.child_tasks or []}
    if not ids:
        return {}
    workflow = next(iter(ids)).rpartition("-")[0]
    titles = {_ATTEMPT.sub("", detail.display_name) for detail in details}
    attempts: dict[str, list[tuple[int, str]]] = {}
    for path in _paths(workflow, titles, ids):
        if pod := _POD.search(path):
            attempts.setdefault(pod["task"], []).append((int(pod["attempt"]), path))
    return {
        task: [
            f"{workflow}-{template}-{node_hash(path)}"
            for _, path in sorted(paths, reverse=True)
            for template in TEMPLATES
        ]
        for task, paths in attempts.items()
    }


def node_hash(path: str) -> int:
    """Return the number at the end of the id of Argo's node at `path`: FNV-1a of 32 bits."""
    number = 2166136261
    for byte in path.encode():
        number = (number ^ byte) * 16777619 % 2**32
    return number


def _paths(workflow: str, titles: set[str], ids: set[str]) -> list[str]:
    """Return the paths of all nodes below the workflow's own whose ids there are."""
    nodes, open_ends = [], [workflow]
    while open_ends:
        parent = open_ends.pop()
        below = [f"{parent}.{title}" for title in titles]
        below += [f"{parent}({number})" for number in range(ATTEMPTS)]
        there = [path for path in below if f"{workflow}-{node_hash(path)}" in ids]
        nodes += there
        open_ends += there
    return nodes
