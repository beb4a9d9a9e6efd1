"""call-name, call-arguments and call-match: function calls."""

from __future__ import annotations

from collections import Counter
from typing import Any

from assay.metrics.contract import Unscored
from assay.metrics.json_text import Leaf, leaves, overlap, parse
from assay.metrics.reading import compared, rate, task_metric
from assay.metrics.task import TaskSettings
from assay.metrics.written_calls import calls_in

CallList = tuple[tuple[str, Any], ...]
"""The names of calls, each with its arguments."""


def read_calls(text: str) -> CallList:
    """Return the calls that a text is, as a template or an API writes them: each a `name` and
    `arguments`, which may be JSON in a text again. Raises Unscored("no_call")."""
    try:
        return tuple(map(_call, calls_in(text)))
    except (ValueError, RecursionError):
        raise Unscored("no_call") from None


def _call(value: Any) -> tuple[str, Any]:
    held = value.get("function", value) if isinstance(value, dict) else value
    if not isinstance(held, dict) or not isinstance(held.get("name"), str):
        raise ValueError("it has no name")
    arguments = held.get("arguments", held.get("parameters", {}))
    arguments = parse(arguments) if isinstance(arguments, str) else arguments
    if not isinstance(arguments, dict):
        raise ValueError("its arguments are no mapping")
    return held["name"], arguments


def _same_names(task: TaskSettings, given: CallList, wanted: CallList) -> float:
    names, right = [name for name, _ in given], [name for name, _ in wanted]
    return float(names == right if task.call_order else Counter(names) == Counter(right))


def _shared_arguments(task: TaskSettings, given: CallList, wanted: CallList) -> float:
    return overlap(_arguments(task, given), _arguments(task, wanted))


def _arguments(task: TaskSettings, calls: CallList) -> Counter[Leaf]:
    """Return each argument with the call that it is of: the first, second, ... of all or, where the
    order does not count, of that name."""
    seen: Counter[str] = Counter()
    found: Counter[Leaf] = Counter()
    for at, (name, arguments) in enumerate(calls):
        place = at if task.call_order else seen[name]
        seen[name] += 1
        found.update(leaves(arguments, (name, place)))
    return found


def _same_calls(task: TaskSettings, given: CallList, wanted: CallList) -> float:
    ours, right = _whole(given), _whole(wanted)
    return float(ours == right if task.call_order else Counter(ours) == Counter(right))


def _whole(calls: CallList) -> list[tuple[str, frozenset[Leaf]]]:
    return [(name, frozenset(leaves(arguments))) for name, arguments in calls]


CALL_NAME = rate(
    "call-name",
    "that call the functions that the target calls",
    compared(lambda _: read_calls, _same_names),
)
CALL_ARGUMENTS = task_metric(
    "call-arguments",
    "mean",
    "F1 of the arguments that the answer's calls and the target's share, each with its value, "
    "0 to 100.",
    compared(lambda _: read_calls, _shared_arguments),
)
CALL_MATCH = rate(
    "call-match",
    "that make the target's calls, with the same arguments",
    compared(lambda _: read_calls, _same_calls),
)
