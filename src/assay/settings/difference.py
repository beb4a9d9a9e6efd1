"""Where two settings differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.settings.secrets import shown


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The name of a setting that differs, and its two values, None for none."""

    name: str
    left: object
    right: object

    def __str__(self) -> str:
        key = self.name.rpartition(".")[2]
        left, right = (
            "none" if value is None else shown(value, key) for value in (self.left, self.right)
        )
        return f"{self.name}: {left}, not {right}"


def first_difference(left: Any, right: Any, name: str = "") -> Difference | None:
    """Return the first value that differs in two mappings or what they hold under `name`, None
    where none does."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            inner = f"{name}.{key}" if name else key
            if differing := first_difference(left.get(key), right.get(key), inner):
                return differing
        return None
    return None if left == right else Difference(name=name, left=left, right=right)
