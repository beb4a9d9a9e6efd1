"""What KFP hands from task to task as JSON. It knows no whole numbers inside a dict, and kfp.local
no null: what a user wrote comes out as it went in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NULL = {"$null": True}


def handed(value: Any) -> Any:
    """Return a JSON `value` as KFP can hand it over: with a mark in the place of every null."""
    if isinstance(value, Mapping):
        return {name: handed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [handed(item) for item in value]
    return _NULL if value is None else value


def whole(value: Any) -> Any:
    """Return a `value` that KFP handed over as it was: with every whole float as an int again, and
    with the nulls that `handed` marked."""
    if value == _NULL:
        return None
    if isinstance(value, Mapping):
        return {name: whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
