"""Text that came from elsewhere, made safe to store and to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# What a terminal obeys instead of showing it, and what changes the order of the text around it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)"
)


def whole(text: str) -> str:
    """Return `text` with every half of a surrogate pair that lacks its other half replaced by
    U+FFFD: JSON can say it (a text cut in the middle of a character), UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def composed(text: str) -> str:
    """Return `text` in the one of the forms that look the same in which an accent is no character
    of its own."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """Return `text` as it may be printed: what is no character to see is U+FFFD, but for line
    breaks and tabs."""
    return _HIDDEN.sub("\ufffd", whole(text))


def flat(text: str) -> str:
    """Return `text` as `plain` does, its lines one behind the other: none of it can pass for a
    line of its own."""
    return plain(" ".join(text.splitlines()))


def indented(text: str) -> str:
    """Return `text` as `plain` does, each line but the first with two spaces before it: none of
    them can pass for a line of somebody else's."""
    first, *others = plain(text).splitlines() or [""]
    return "\n".join([first, *(line if line.startswith("  ") else f"  {line}" for line in others)])


def one_line(text: str) -> str:
    """Return `text` as `flat` does, with single spaces."""
    return plain(" ".join(text.split()))


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first names of many as a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def clock(seconds: float) -> str:
    """Return a duration as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
