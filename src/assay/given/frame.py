"""What a chat template writes around every prompt of a file, where it can be told from the rest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

# special tokens as models' vocabularies write them, with the role behind them
_MARK = (
    r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|\[/?INST\]|</?s>|<</?SYS>>|<bos>|"
    r"\[/?SYSTEM_PROMPT\]|<(?:start|end)_of_turn>|<\|turn>|<turn\|>|\[gMASK\]|<sop>|"
    r"\[\|[a-z]{1,40}\|\]|\]~b\]|\]~!b\[|\[e~\["
)
_ANY = re.compile(_MARK)
_OPENING = re.compile(rf"(?:{_MARK})(?:user|human)?(?:\r?\n|[ ])*", re.IGNORECASE)
_ANSWERED = re.compile(
    rf"(?:{_MARK})(?:assistant|model)|\[/INST\]|[|｜]assistant[|｜]", re.IGNORECASE
)
_ROLES = re.compile(rf"(?:{_MARK})(?:system|user|human)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands `before` and `behind` each prompt."""

    before: str
    behind: str

    @property
    def system(self) -> str:
        """The system's turn: the text before the prompt that is no mark, "" for none."""
        return _ROLES.sub("", self.before).strip()

    def inside(self, prompt: str) -> str:
        """Return a prompt without its frame."""
        return prompt[len(self.before) : len(prompt) - len(self.behind)]


def frame_of(prompts: Callable[[], Iterable[str]]) -> Frame | None:
    """Return what frames all of at least two prompts, None where they differ in more than what is
    asked: another turn before it, another system's, or a prompt that was cut. They are asked for
    whenever they are gone through."""
    first = next(iter(prompts()), "")
    start, ends = _shared(first, prompts())
    if len(start) == len(ends) == len(first) and all(prompt == first for prompt in prompts()):
        return None
    openings, closing = list(_OPENING.finditer(start)), _ANY.search(ends)
    if not openings or not closing or _ANSWERED.search(start):
        return None
    asked = ends[: closing.start()].rstrip()  # some templates write white space before the mark
    frame = Frame(before=first[: openings[-1].end()], behind=ends[len(asked) :])
    fits = all(_fits(frame, prompt) for prompt in prompts())
    return frame if fits else None


def _fits(frame: Frame, prompt: str) -> bool:
    text = frame.inside(prompt)
    whole = len(prompt) > len(frame.before) + len(frame.behind) and text.strip()
    return bool(whole) and not _ANY.search(text)


def _shared(first: str, texts: Iterable[str]) -> tuple[str, str]:
    """Return what all texts begin with, and what they end with, as the first of them does."""
    start, ends = first, first
    for text in texts:
        if not text.startswith(start):
            start = os.path.commonprefix([start, text])  # noqa: RUF071  they are no paths
        if not text.endswith(ends):
            ends = os.path.commonprefix([ends[::-1], text[::-1]])[::-1]  # noqa: RUF071
    return start, ends
