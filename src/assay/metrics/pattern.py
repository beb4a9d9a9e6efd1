"""pattern-match: what a regular expression finds in an answer against the same in its target."""

from __future__ import annotations

from assay.errors import SettingsError
from assay.metrics.contract import MetricFunction, TaskFunction
from assay.metrics.reading import compared, equal, rate
from assay.metrics.task import TaskSettings

_FOUND = compared(lambda _: str.strip, equal)


def _bind(task: TaskSettings) -> MetricFunction:
    if not task.pattern:
        raise SettingsError(
            "metrics.task.pattern is missing, and pattern-match needs it",
            "Set the regular expression that finds the answer",
        )
    return _FOUND.bind(task)


PATTERN_MATCH = rate(
    "pattern-match",
    "in which the pattern finds the same as in the target, but for spaces around it",
    TaskFunction(bind=_bind),
)
