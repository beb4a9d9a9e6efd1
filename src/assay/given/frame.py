"""What a chat template writes around every prompt of a file, where it can be told from the rest."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
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


def frame_of(prompts: Sequence[str]) -> Frame | None:
    """Return what frames all of at least two prompts, None where they differ in more than what is
    asked: another turn before it, another system's, or a prompt that was cut."""
    if len(set(prompts)) < 2:
        return None
    start, ends = _shared(prompts), _shared([prompt[::-1] for prompt in prompts])[::-1]
    openings, closing = list(_OPENING.finditer(start)), _ANY.search(ends)
    if not openings or not closing or _ANSWERED.search(start):
        return None
    asked = ends[: closing.start()].rstrip()  # some templates write white space before the mark
    frame = Frame(before=prompts[0][: openings[-1].end()], behind=ends[len(asked) :])
    texts = [frame.inside(prompt) for prompt in prompts]
    fits = all(
        len(prompt) > len(frame.before) + len(frame.behind) and text.strip()
        for prompt, text in zip(prompts, texts, strict=True)
    )
    return frame if fits and not any(map(_ANY.search, texts)) else None


def _shared(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    return os.path.commonprefix(list(texts))  # noqa: RUF071  they are no paths
