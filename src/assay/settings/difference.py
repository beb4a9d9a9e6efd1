"""Where two settings differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
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


def differences(left: Any, right: Any, name: str = "") -> Iterator[Difference]:
    """Yield the values that differ in two mappings or what they hold under `name`."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            inner = f"{name}.{key}" if name else key
            yield from differences(left.get(key), right.get(key), inner)
    elif left != right:
        yield Difference(name=name, left=left, right=right)


def first_difference(left: Any, right: Any) -> Difference | None:
    """Return the first value that differs in two mappings, None where none does."""
    return next(differences(left, right), None)


def with_defaults(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an earlier version, with those of `kind` that it did not have as their
    defaults: it worked so."""
    later = {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(kind)
        if each.name not in settings and (each.default, each.default_factory) != (MISSING, MISSING)
    }
    return {**settings, **later}
