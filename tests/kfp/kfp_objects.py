"""What the stand-in for KFP's API server keeps and lists, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Answer = Any
ZERO = "1970-01-01T00:00:00Z"


class Refusal(Exception):  # noqa: N818  an answer, no failure of the test
    """An answer with an HTTP status other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def links(workflow: str, key: str) -> list[tuple[str, str, str]]:
    """Return Argo's nodes down to the pod of a task: title, path, path of the child."""
    steps = ["(0)", ".root", "(0)", f".{key}", "(0)", ".executor", "(0)"]
    paths = [workflow]
    for step in steps:
        paths.append(paths[-1] + step)
    return [
        (path.rpartition(".")[2], path, child)
        for path, child in zip(paths, [*paths[1:], ""], strict=True)
    ]


def now() -> str:
    """Return the time as KFP writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def visible(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run without what only the stand-in knows."""
    return {name: value for name, value in run.items() if name != "workflow"}


def known(items: Mapping[str, Any], key: str, kind: str) -> Any:
    """Return an item, or answer that there is none."""
    if key not in items:
        raise Refusal(404, f"{kind} {key} not found")
    return items[key]


def listing(key: str, items: Any, query: Mapping[str, str]) -> Answer:
    """Return one page of the items that the query's filter lets through."""
    predicates = json.loads(query.get("filter", "{}")).get("predicates", [])
    for one in predicates:
        assert one["operation"] == "EQUALS"
    wanted = {one["key"]: one["stringValue"] for one in predicates}
    wanted |= {k: query[k] for k in ("experiment_id",) if query.get(k)}
    found = [one for one in items if all(one.get(k) == v for k, v in wanted.items())]
    field, _, order = query.get("sort_by", "created_at").partition(" ")
    found.sort(key=lambda one: str(one[field]), reverse=order == "desc")
    start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 10)
    page = {key: found[start : start + size], "total_size": len(found)}
    if start + size < len(found):
        page["next_page_token"] = str(start + size)
    return {name: value for name, value in page.items() if value}
