"""Settings as mappings, as a file holds them and one task hands them to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def without_unset(value: Any) -> Any:
    """Return the dataclasses in `value` as mappings, without what is None in them: that is its
    default, and kfp.local hands no null over. What a user wrote into a mapping stays."""
    if isinstance(value, Mapping):
        return {name: without_unset(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [without_unset(item) for item in value]
    if not is_dataclass(value):
        return value
    given = {each.name: getattr(value, each.name) for each in fields(value)}
    return {name: without_unset(item) for name, item in given.items() if item is not None}
