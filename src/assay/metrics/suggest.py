"""Which task metrics the targets ask for, where none of them is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from assay import cases
from assay.metrics.calls import read_calls
from assay.metrics.catalogue import CATALOGUE
from assay.metrics.contract import Unscored
from assay.metrics.json_text import parse
from assay.metrics.labels import plain

_LOOKED_AT = 1000
_MOST, _LEAST = 0.95, 10
_MOST_LABELS, _TIMES_EACH, _LONGEST = 20, 5, 60
_NUMBER = re.compile(r"(?:.*####)?\s*[^\w\s]?\s?[-+]?(?:[0-9][0-9,]*)?\.?[0-9]+\s*%?\s*", re.DOTALL)
_CHOICE = re.compile(r"\s*\(?[A-H]\)?\.?\s*")


def suggest(metrics: Iterable[str], samples: Path) -> str:
    """Return which metrics the targets of `samples` look made for, as a sentence; "" where a task
    metric is among the `metrics` already, and where they look like text."""
    if any(CATALOGUE[name].group == "task" for name in metrics if name in CATALOGUE):
        return ""
    told = (target for target in cases.targets(samples) if target.strip())
    targets = list(islice(told, _LOOKED_AT))
    for kind, names, looks in _KINDS:
        if len(targets) >= _LEAST and looks(targets):
            return (
                f"The targets look like {kind}: metrics.metrics can have {names}, which read the "
                "answer; exact-match leaves out punctuation and articles, so that 1.5 is 15 and A "
                "is nothing"
            )
    return ""


def _most(holds: Callable[[str], object]) -> Callable[[Sequence[str]], bool]:
    return lambda targets: sum(map(bool, map(holds, targets))) >= _MOST * len(targets)


def _is_call(target: str) -> bool:
    try:
        read_calls(target)
    except Unscored:
        return False
    return True


def _is_json(target: str) -> bool:
    try:
        return isinstance(parse(target), dict | list)
    except (ValueError, RecursionError):
        return False


def _are_labels(targets: Sequence[str]) -> bool:
    most = min(_MOST_LABELS, len(targets) // _TIMES_EACH)
    return max(map(len, targets)) <= _LONGEST and 2 <= len(set(map(plain, targets))) <= most


_KINDS: tuple[tuple[str, str, Callable[[Sequence[str]], bool]], ...] = (
    ("function calls", "call-match, call-name and call-arguments", _most(_is_call)),
    ("JSON", "json-valid, json-fields and json-schema", _most(_is_json)),
    ("choices", "choice-match", _most(_CHOICE.fullmatch)),
    ("labels", "label-accuracy and macro-f1", _are_labels),
    ("numbers", "number-match", _most(_NUMBER.fullmatch)),
)
