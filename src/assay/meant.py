"""What a value that is refused was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any


def remedy(error: Mapping[str, Any], name: str) -> str:
    """Return what to do about a value that pydantic refuses, of the setting `name`."""
    kind, value = error["type"], error["input"]
    if close := difflib.get_close_matches(str(value), _choices(error), n=1):
        return f"Did you mean {close[0]}?"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "Put it in quotes: in YAML numbers, yes, no, on and off are no text without them"
    if kind in ("list_type", "tuple_type") and isinstance(value, str):
        return "Write it as a list, in brackets"
    return f"Correct {name}"


def _choices(error: Mapping[str, Any]) -> list[str]:
    """Return the values that a setting can have, where these are few."""
    expected = str(error.get("ctx", {}).get("expected", ""))
    return re.findall(r"'([^']*)'", expected) if error["type"] == "literal_error" else []
