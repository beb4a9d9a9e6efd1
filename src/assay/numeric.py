"""Which numbers a setting may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge, Le

from assay.errors import SettingsError

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""What NumPy, and so transformers, takes as one."""


def check_finite(value: object, where: str) -> None:
    """Raise SettingsError for a number that is none, anywhere in `value`: JSON, in which settings
    are kept, has no word for it."""
    waiting = [(where, value)]
    while waiting:
        name, held = waiting.pop()
        if isinstance(held, float) and not math.isfinite(held):
            raise SettingsError(f"{name} = {held} is no finite number", f"Correct {name}")
        if isinstance(held, Mapping):
            waiting += [(f"{name}.{key}", inner) for key, inner in held.items()]
        elif isinstance(held, list | tuple):
            waiting += [(f"{name}.{number}", inner) for number, inner in enumerate(held)]
