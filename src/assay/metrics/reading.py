"""What the task metrics have in common: an answer is read in the target and in the output, and the
two are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from assay.metrics.contract import (
    PERCENT,
    AutoMetric,
    MetricFunction,
    TaskFunction,
    Unscored,
    target_of,
)
from assay.metrics.task import TaskSettings, answer_in, answer_wanted
from assay.records import Kind, Prediction, Sample

T = TypeVar("T")

Extractor = Callable[[TaskSettings], Callable[[str], T]]
"""reader(task)(text): the answer in a text. Raises Unscored with what the text lacks."""
Comparator = Callable[[TaskSettings, T, T], float]
"""agreement(task, given, wanted): how far an answer is the one that is wanted, 0 to 1."""


def compared(reader: Extractor[T], agreement: Comparator[T]) -> TaskFunction:
    """Return the metric that reads an answer in target and output and compares the two. An output
    without one is unscored, or 0 where the settings call it wrong."""

    def bind(task: TaskSettings) -> MetricFunction:
        read = reader(task)

        def function(sample: Sample, prediction: Prediction) -> float:
            wanted = wanted_in(task, read, sample)
            return scored(
                task,
                lambda: given_in(task, read, prediction),
                lambda given: agreement(task, given, wanted),
            )

        return function

    return TaskFunction(bind=bind)


def scored(task: TaskSettings, read: Callable[[], T], score: Callable[[T], float]) -> float:
    """Return the `score`, 0 to 1, of the answer that `read` returns, in percent; 0 for an output
    without one where the settings call it wrong. Raises Unscored where they do not."""
    try:
        given = read()
    except Unscored:
        if task.unread == "wrong":
            return 0.0
        raise
    return 100.0 * score(given)


def wanted_in(task: TaskSettings, read: Callable[[str], T], sample: Sample) -> T:
    """Return the answer in the target. Raises Unscored, the cause of a target that cannot be read
    with "target_" before it."""
    target = target_of(sample)
    try:
        return read(answer_wanted(task, target, f"the target of id={sample.id}"))
    except Unscored as outcome:
        raise Unscored(f"target_{outcome.cause}") from None


def given_in(task: TaskSettings, read: Callable[[str], T], prediction: Prediction) -> T:
    """Return the answer in the output. Raises Unscored, "no_match" where the pattern finds none."""
    part = answer_in(task, prediction.output, f"the output of id={prediction.id}")
    if part is None:
        raise Unscored("no_match")
    return read(part)


def equal(_: TaskSettings, given: object, wanted: object) -> float:
    """Return 1 where two answers are the same, else 0."""
    return float(given == wanted)


def rate(name: str, meaning: str, function: MetricFunction | TaskFunction) -> AutoMetric:
    """Return the metric of a share of right answers."""
    return task_metric(name, "rate", f"Share of answers {meaning}, 0 to 100.", function)


def task_metric(
    name: str, kind: Kind, meaning: str, function: MetricFunction | TaskFunction, package: str = ""
) -> AutoMetric:
    """Return a metric of the group "task"."""
    return AutoMetric(
        name=name,
        direction="higher",
        kind=kind,
        scale=PERCENT,
        meaning=meaning,
        group="task",
        function=function,
        package=package,
    )
