"""Records to plain JSON values that every format can hold, and model text to visible text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# control characters, those that reorder the text around them, and the two that XML cannot hold
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def plain(value: object) -> Any:
    """Return `value` as JSON: no NaN or infinity (None instead) and no lone surrogate, which has
    no UTF-8 (U+FFFD instead); what JSON does not know becomes its text."""
    if isinstance(value, str):
        if value.isascii():  # most are, and there are very many
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if names := getattr(value, "__dataclass_fields__", None):
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def visible(text: str) -> str:
    """Return `text` with invisible control and reordering characters written out as U+XXXX."""
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def number(value: float | None, kind: str) -> str:
    """Return a metric's value for reading, "–" for None: two decimals, and four for a likelihood
    or a user's own metric below 10."""
    if value is None:
        return "–"
    fine = kind in ("likelihood", "own") and abs(value) < 10
    return f"{value:.4f}" if fine else f"{value:,.2f}"


def signed(value: float | None, kind: str) -> str:
    """Return a difference with its sign."""
    if value is None:
        return "–"
    digits = number(abs(value), kind)
    if not float(digits.replace(",", "")):
        return digits
    return f"+{digits}" if value > 0 else f"−{digits}"


def label(name: str) -> str:
    """Return a judge dimension's name as words; metrics keep the exact name they go by."""
    return name.replace("_", " ").capitalize() if name in _WORDS else name


def minute(time: str) -> str:
    """Return an ISO time for reading, to the minute."""
    return time[:16].replace("T", " ")


def duration(seconds: float) -> str:
    """Return seconds as "12 s", "3 min 05 s" or "2 h 07 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


_WORDS = {"instruction_following", "quality", "clarity", "safety", "overall"}
