"""label-accuracy, macro-f1, macro-precision and macro-recall: answers out of a set of labels."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from assay.errors import InputError, SettingsError
from assay.metrics.contract import PERCENT, AutoMetric, LabelFunction, Unscored
from assay.metrics.reading import compared, equal, given_in, rate, wanted_in
from assay.metrics.task import TaskSettings, answer_wanted
from assay.metrics.words import IDEOGRAPHS
from assay.records import Case, LabelPair

MOST_LABELS = 100
_MARKS = " \t\r\n\"'`*.,;:!?()[]<>\u201c\u201d\u2018\u2019\u3002\uff0c\uff01\uff1f"


def read_label(task: TaskSettings) -> Callable[[str], str]:
    """Return what reads the label of a text, of those of the settings.

    It is the text itself, but for case and marks around it, or the one label that stands in it as a
    word. Without a set of labels it is the text. Raises Unscored("no_label"), and "several_labels"
    where more than one stands in it. Raises SettingsError for a label that is there twice.
    """
    names = _names(task.labels)
    if len(names) < len(task.labels) or "" in names:
        raise SettingsError(
            f"metrics.task.labels = {', '.join(task.labels)}: two of them are the same, or one is "
            "none, but for case and marks",
            "Name each label once",
        )

    def read(text: str) -> str:
        label, cause = _read(task.labels, text)
        if cause:
            raise Unscored(cause)
        return label

    return read


@functools.lru_cache(maxsize=4)
def _names(labels: tuple[str, ...]) -> Mapping[str, str]:
    return {plain(label): label for label in labels}


@functools.lru_cache(maxsize=1 << 10)
def _read(labels: tuple[str, ...], text: str) -> tuple[str, str]:
    """Return the label of a text, or "" and why there is none."""
    names, name = _names(labels), plain(text)
    if name and (name in names or not labels):
        return names.get(name, name), ""
    held = tuple(label for label in names if label in name)
    found = set(_within(held).findall(name)) if held else set()
    if len(found) == 1:
        return names[found.pop()], ""
    return "", "several_labels" if found else "no_label"


@functools.lru_cache(maxsize=1 << 10)
def _within(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds labels in a text; of two of which one holds the other, the longer one."""
    return re.compile("|".join(map(_word, sorted(names, key=len, reverse=True))))


@functools.lru_cache(maxsize=1 << 10)
def plain(text: str) -> str:
    """Return a label without what does not tell it from another: case, marks around it, the number
    of spaces. A sign before a number stays."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(_MARKS)


def labels_of(task: TaskSettings, targets: Iterable[str]) -> tuple[str, ...]:
    """Return the labels that `targets` have, in alphabetical order.

    Raises InputError where there are more than 100: that is no set of labels.
    """
    names: dict[str, str] = {}
    for target in targets:
        text = answer_wanted(task, target, "a target")
        if name := plain(text):
            names.setdefault(name, text.strip(_MARKS))
        if len(names) > MOST_LABELS:
            raise InputError(
                f"The targets have more than {MOST_LABELS} different values, which is no set of "
                "labels for label-accuracy, macro-f1 and their like",
                "Set metrics.task.labels, or leave these metrics out",
            )
    return tuple(names[name] for name in sorted(names))


def labelled(task: TaskSettings, cases: Iterable[Case]) -> list[LabelPair]:
    """Return the labels of some cases."""
    read = read_label(task)
    return [_labelled(task, read, case) for case in cases]


def _labelled(task: TaskSettings, read: Callable[[str], str], case: Case) -> LabelPair:
    sample, prediction = case
    wanted, given, cause = "", "", str(prediction.unanswered)
    try:
        wanted = wanted_in(task, read, sample)
        given = "" if cause else given_in(task, read, prediction)
    except Unscored as outcome:
        cause = cause or outcome.cause
    if wanted and task.unread == "wrong" and not prediction.unanswered:
        cause = ""
    return LabelPair(id=sample.id, wanted=wanted, given=given, cause=cause)


def _word(label: str) -> str:
    """Return the pattern of a label that stands for itself, and is no part of a longer word or
    number; between ideographs there are no spaces."""
    word = rf"[^\W{IDEOGRAPHS}]"
    before = rf"(?<!{word})(?<!{word}-)" if re.match(word, label) else ""
    after = rf"(?!{word})(?!-{word})" if re.match(word, label[-1]) else ""
    if label[0].isdigit():
        before += r"(?<![0-9][.,])(?<![-+\u2212.])"
    if label[-1].isdigit():
        after += r"(?![.,][0-9])"
    return f"{before}{re.escape(label)}{after}"


def _macro(name: str, what: str, function: LabelFunction) -> AutoMetric:
    return AutoMetric(
        name=name,
        direction="higher",
        scale=PERCENT,
        meaning=f"{what} of each label that the targets have, the mean over these, 0 to 100.",
        group="task",
        function=function,
    )


LABEL_ACCURACY = rate("label-accuracy", "that have the target's label", compared(read_label, equal))
MACRO_F1 = _macro("macro-f1", "F1", LabelFunction(targets=1, answers=1))
MACRO_PRECISION = _macro(
    "macro-precision",
    "Share of right ones among the answers (0 without an answer)",
    LabelFunction(targets=0, answers=1),
)
MACRO_RECALL = _macro(
    "macro-recall", "Share of right ones among the targets", LabelFunction(targets=1, answers=0)
)
