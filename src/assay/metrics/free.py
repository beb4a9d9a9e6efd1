"""Which metrics look at answers alone: they have a value where no target is known."""

from __future__ import annotations

from collections.abc import Iterable

from assay.metrics.catalogue import CATALOGUE

FREE = (
    *("json-valid", "json-schema", "code-compiles"),
    *("empty", "truncated", "distinct-1", "distinct-2"),
)


def need_targets(names: Iterable[str]) -> bool:
    """Return whether one of the built-in metrics among `names` compares with a target; what a
    metric of the user's own looks at is the user's to know."""
    return any(name in CATALOGUE and name not in FREE for name in names)
