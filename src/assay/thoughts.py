"""The marks that models write their thoughts in, and the answer behind such a thought."""

from __future__ import annotations

import re
from typing import NamedTuple

USUAL = ("<think>", "</think>")
KNOWN = (
    USUAL,
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""What no text but a model's thought begins and ends with, however capital."""
END = "|".join(re.escape(closing) for _, closing in KNOWN)
"""The pattern of the end of a thought."""
_BEGINNINGS = tuple(
    (re.compile(rf"\s*(?:<\|start\|>assistant)?{re.escape(opening)}", re.IGNORECASE), closing)
    for opening, closing in KNOWN
)
# what special tokens some of these models write around the answer behind it
_AROUND = re.compile(
    r"\A\s*<\|(?:START_RESPONSE|begin_of_solution)\|>"
    r"|<\|(?:END_RESPONSE|end_of_solution|return|end)\|>\s*\Z",
    re.IGNORECASE,
)
_TURN = re.compile(r"<\|end\|>\s*(?:<\|start\|>assistant)?\s*\Z")


class Apart(NamedTuple):
    """A thought and the answer behind it; `unended` says that the thought has no end."""

    thought: str
    answer: str
    unended: bool


def begins(text: str) -> bool:
    """Return whether a text begins with the mark of a thought."""
    return any(beginning.match(text) for beginning, _ in _BEGINNINGS)


def apart(text: str) -> Apart | None:
    """Return the thoughts that a text begins with, in marks that are known, and what is behind the
    last of them; None where it begins with none."""
    thoughts: list[str] = []
    while found := _first(text):
        thought, text, unended = found
        thoughts.append(thought)
        if unended:
            return Apart("\n".join(filter(None, thoughts)), "", True)
    if not thoughts:
        return None
    answer = _AROUND.sub("", text)
    return Apart("\n".join(filter(None, thoughts)), answer.lstrip("\r\n"), False)


def _first(text: str) -> Apart | None:
    for beginning, closing in _BEGINNINGS:
        if begun := beginning.match(text):
            ended = re.compile(re.escape(closing), re.IGNORECASE).search(text, begun.end())
            inside = text[begun.end() : ended.start() if ended else None]
            inside = _TURN.sub("", inside).strip()
            return Apart(inside, text[ended.end() :] if ended else "", not ended)
    return None
