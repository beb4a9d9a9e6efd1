"""Which metrics look at answers alone: they have a value where no target is known."""

from __future__ import annotations

from collections.abc import Iterable

from assay.metrics.catalogue import CATALOGUE

FREE = (
    *("json-valid", "json-schema", "code-compiles"),
    *("empty", "truncated", "distinct-1", "distinct-2"),
)


def need_targets(names: Iterable[str]) -> tuple[str, ...]:
    """Return which of the built-in metrics among `names` compare with a target; what a metric of
    the user's own looks at is the user's to know."""
    return tuple(name for name in names if name in CATALOGUE and name not in FREE)
