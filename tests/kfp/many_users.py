"""What a KFP of many users asks for beyond one of a single user (its API server, 2.17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

THINGS = {"experiments": "An experiment", "runs": "A run", "recurringruns": "a recurring run"}

Refused = tuple[int, str] | None


def refusal(
    request: str,
    query: Mapping[str, str],
    body: Any,
    experiments: Mapping[str, Mapping[str, Any]],
    mine: set[str],
) -> Refused:
    """Return the status and message with which `request` ("METHOD /path") is refused to the user of
    the namespaces `mine`, None where it is not."""
    found = re.fullmatch(r"(GET|POST) /apis/v2beta1/(experiments|runs|recurringruns)", request)
    if not found:
        return None
    given = query if found[1] == "GET" else body
    experiment = experiments.get(given.get("experiment_id") or "", {})
    namespace = experiment.get("namespace") or given.get("namespace")
    if not namespace:
        return 400, f"{THINGS[found[2]]} cannot have an empty namespace in multi-user mode"
    return None if namespace in mine else (403, f"User is not authorized in {namespace}")
