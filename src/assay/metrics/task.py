"""What the task is that the task metrics measure: settings, and what they share."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from assay.errors import MissingExtraError, SettingsError

PATTERN_SECONDS = 5.0
"""How long a pattern may look at a text: (a|aa)+ may for as long as the universe stands."""


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What the task metrics take an answer for.

    `labels` are those that there are, none for those of the targets. `pattern` is a regular
    expression whose last match in an output (its group, where it has one) is the answer, and the
    same in a target that it matches. Numbers are equal within `tolerance` and within
    `relative_tolerance` times the target. `choices` are the letters to choose from. `schema` is a
    JSON Schema. `call_order` says that the order of function calls counts. `encoder` is the model
    by whose layer number `encoder_layer` (0: its last) bertscore compares. An output in which no
    answer can be read is `unread`: unscored, or wrong.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused

    labels: tuple[Annotated[str, MinLen(1)], ...] = ()
    pattern: str = ""
    tolerance: Annotated[float, Ge(0)] = 0.0
    relative_tolerance: Annotated[float, Ge(0)] = 0.0
    choices: Annotated[str, MinLen(2)] = "ABCDEFGH"
    schema: Mapping[str, Any] = field(default_factory=dict)
    call_order: bool = True
    encoder: str = ""
    encoder_layer: Annotated[int, Ge(0)] = 0
    unread: Literal["unscored", "wrong"] = "unscored"


def check_pattern(task: TaskSettings) -> None:
    """Raise SettingsError for a pattern that is no regular expression or has several groups."""
    where = f"metrics.task.pattern = {task.pattern}"
    try:
        groups = re.compile(task.pattern).groups  # where a run is submitted there is no regex
    except (re.error, RecursionError, OverflowError) as error:
        raise SettingsError(f"{where} is no regular expression: {error}", "Correct it") from None
    if groups > 1:
        raise SettingsError(f"{where} has {groups} groups", "Write (?:...) but for the answer's")


def check_choices(task: TaskSettings) -> None:
    """Raise SettingsError for choices that are not different letters or digits."""
    if not task.choices.isalnum() or len(set(task.choices.upper())) < len(task.choices):
        raise SettingsError(
            f"metrics.task.choices = {task.choices} are not different letters",
            "Write the letters in a row, such as ABCD",
        )


def answer_in(task: TaskSettings, text: str, place: str) -> str | None:
    """Return the part of the text at a `place` that is the answer: what the pattern matches last,
    None where it does not; all of it without a pattern. Raises SettingsError where that takes too
    long."""
    if not task.pattern:
        return text
    regex, match = compiled(task.pattern, "metrics.task.pattern"), None
    try:
        for match in regex.finditer(text, timeout=PATTERN_SECONDS):  # noqa: B007  the last one
            pass
    except TimeoutError:
        raise endless(f"metrics.task.pattern = {task.pattern}", place) from None
    return match[regex.groups] if match else None


def answer_wanted(task: TaskSettings, target: str, place: str) -> str:
    """Return the part of the target at a `place` that is the answer, all of it where the pattern
    finds none."""
    part = answer_in(task, target, place)
    return target if part is None else part


def endless(pattern: str, place: str) -> SettingsError:
    """Return what to say of a pattern that may look at the text at a `place` for ever."""
    return SettingsError(
        f"{pattern} looks at {place} for longer than {PATTERN_SECONDS:g} s",
        "Write it so that no part can match the same in several ways: a+, not (a|aa)+",
    )


@functools.cache
def compiled(pattern: str, where: str) -> Any:
    """Return the pattern in a setting by regex, since re cannot be stopped. Raises
    MissingExtraError without it, and SettingsError for what only re takes."""
    try:
        import regex
    except ModuleNotFoundError:
        raise MissingExtraError("regex", "metrics") from None
    try:
        return regex.compile(pattern)
    except regex.error as error:
        told = f"{where}: {pattern} is no regular expression: {error}"
        raise SettingsError(told, "Correct it") from None
