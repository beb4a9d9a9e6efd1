"""A thought in what a reasoning model writes: where it ends, and how many tokens it has.

`marks` are the template's words around a thought, None where it is no reasoning template.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from assay.errors import SettingsError
from assay.thoughts import USUAL

Marks = tuple[str, str] | None


def check_marks(marks: Sequence[str]) -> None:
    """Raise SettingsError for `marks` that are not two different ones, nor none."""
    if marks and (len(marks) != 2 or marks[0] == marks[1] or not all(map(str.strip, marks))):
        raise SettingsError(
            f"generate.thought_marks = {', '.join(marks)} are not two different marks",
            'Name what a thought begins and ends with: ["<think>", "</think>"]',
        )


def without_template(given: Sequence[str]) -> tuple[str, str]:
    """Return the marks in what no template has read: the `given` ones, which `check_marks` takes,
    else the usual ones."""
    opening, closing = map(str.strip, given if len(given) == 2 else USUAL)
    return opening, closing


def split(text: str, marks: Marks, *, opened: bool = False) -> tuple[str, str, bool]:
    """Return the thought, the answer, and whether the thought never ended.

    The thought is what stands before the first closing mark, whether its opening mark is there or
    not; where the text is `opened` it begins within one in any case."""
    if marks is None:
        return "", text, False
    opening, closing = marks
    before, ended, after = text.partition(closing)
    if not ended and not opened and not before.lstrip().startswith(opening):
        return "", text.lstrip("\n"), False
    return before.replace(opening, "", 1).strip(), after.lstrip("\n"), not ended


def is_opened(target: str, marks: Marks) -> bool:
    """Return whether a target begins within a thought: closes one that it has not opened."""
    if marks is None:
        return False
    opening, closing = marks
    before, closed, _ = target.partition(closing)
    return bool(closed and before.strip()) and opening not in before


def tokens(
    ids: Sequence[int],
    marks: Marks,
    decode: Callable[[Sequence[int]], str],
    *,
    opened: bool = False,
) -> int:
    """Return how many of the ids of an answer are a thought and its marks, 0 where it has none."""
    thought, _, unended = split(decode(ids), marks, opened=opened)
    if marks is None or not thought:
        return 0
    if unended:
        return len(ids)
    closing = marks[1]
    counts = range(len(ids))
    return bisect.bisect_left(counts, True, key=lambda count: closing in decode(ids[:count]))
