"""Which task metrics the targets ask for, where none of them is wanted, and which of those that are
can read none of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from assay import cases
from assay.metrics.calls import read_calls
from assay.metrics.catalogue import CATALOGUE
from assay.metrics.contract import LabelFunction, TaskFunction, Unscored
from assay.metrics.json_text import parse
from assay.metrics.labels import LABEL_ACCURACY, plain
from assay.metrics.task import TaskSettings
from assay.records import Prediction, Sample
from assay.text import one_line

_LOOKED_AT = 1000
_MOST, _LEAST = 0.95, 10
_SHOWN = 60
_MOST_LABELS, _TIMES_EACH, _LONGEST = 20, 5, 60
_NUMBER = re.compile(r"(?:.*####)?\s*[^\w\s]?\s?[-+]?(?:[0-9][0-9,]*)?\.?[0-9]+\s*%?\s*", re.DOTALL)
_CHOICE = re.compile(r"\s*\(?[A-H]\)?\.?\s*")


def suggest(metrics: Sequence[str], samples: Path, task: TaskSettings) -> str:
    """Return which metrics the targets of `samples` look made for, as a sentence, "" where they
    look like text; where task metrics are among the `metrics` already, which of these can read
    nothing in them."""
    told = (target for target in cases.targets(samples) if target.strip())
    targets = list(islice(told, _LOOKED_AT))
    if any(CATALOGUE[name].group == "task" for name in metrics if name in CATALOGUE):
        return _unread(metrics, targets, task)
    for kind, names, looks in _KINDS:
        if len(targets) >= _LEAST and looks(targets):
            return (
                f"The targets look like {kind}: metrics.metrics can have {names}, which read the "
                "answer; exact-match leaves out punctuation and articles, so that 1.5 is 15 and A "
                "is nothing"
            )
    return ""


def _unread(metrics: Sequence[str], targets: Sequence[str], task: TaskSettings) -> str:
    """Return which metrics have no score on any target, whatever the answer; a target may come to
    be read only in the form that a template gives it, so that nothing is refused for it."""
    causes = {name: _cause(name, targets, task) for name in metrics if name in CATALOGUE}
    unread = {name: cause for name, cause in causes.items() if cause}
    if not unread or not targets:
        return ""
    named = ", ".join(f"{name} ({cause})" for name, cause in unread.items())
    return (
        f"None of {len(targets):,} targets, such as '{one_line(targets[0])[:_SHOWN]}', has what is "
        f"compared by {named}: correct metrics.task, or leave the metric out"
    )


def _cause(name: str, targets: Sequence[str], task: TaskSettings) -> str:
    """Return why no target can be read, "" where one can."""
    metric = CATALOGUE[name]
    function = LABEL_ACCURACY if isinstance(metric.function, LabelFunction) else metric
    if metric.group != "task" or not isinstance(function.function, TaskFunction):
        return ""
    score, cause = function.function.bind(task), ""
    for target in targets:
        given = Prediction(id="", output=target, finish="stop", prompt_tokens=0, output_tokens=0)
        try:
            score(Sample(id="", messages=(), target=target), given)
        except Unscored as outcome:
            cause = outcome.cause
        else:
            return ""
    return cause.removeprefix("target_") if cause.startswith("target_") else ""


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
