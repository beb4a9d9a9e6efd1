"""What was thought before an answer, in the marks that models write it in."""

from __future__ import annotations

from typing import NamedTuple

OPENING, CLOSING = "<think>", "</think>"


class Apart(NamedTuple):
    """A thought and the answer behind it; `unended` says that the thought has no end."""

    thought: str
    answer: str
    unended: bool


def apart(text: str, *, begun: bool = False) -> Apart:
    """Return the thought before an answer and the answer; `begun` says that the prompt ended with
    the opening mark."""
    if not (begun or text.lstrip().startswith(OPENING)):
        return Apart("", text, False)
    before, ended, after = text.partition(CLOSING)
    if begun and not ended and OPENING not in before:
        return Apart("", text, False)
    return Apart(before.replace(OPENING, "", 1).strip(), after.lstrip("\n"), not ended)
