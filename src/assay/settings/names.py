"""Which names a mapping may hold: what is unknown is refused by its nearest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from assay.errors import SettingsError
from assay.settings.secrets import is_secret, shown

_LONGEST = 40


def check_names(values: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Raise SettingsError for the first name in `values` not among `names`, and for secrets."""
    names = sorted(set(names))
    for name in values:
        if name in names:
            continue
        if is_secret(str(name)) and not difflib.get_close_matches(name, names, cutoff=0.9):
            raise SettingsError(
                f"{where}.{name} looks like a secret, which no setting may hold",
                "Remove it and pass it by environment variable or Kubernetes Secret",
            )
        raise SettingsError(f"{where}.{name} is not a setting", nearest(str(name), names))


def check_value(value: str, values: Iterable[str], name: str, kind: str) -> None:
    """Raise SettingsError where the setting `name` has a value that is no `kind`, such as no
    metric: none of the `values`."""
    values = sorted(set(values))
    if value not in values:
        raise SettingsError(f"{name} = {shown(value)} is no {kind}", nearest(value, values))


def changed(settings: object, names: Iterable[str]) -> Iterator[str]:
    """Yield those of the names whose settings are not their defaults."""
    usual = type(settings)()
    return (name for name in names if getattr(settings, name) != getattr(usual, name))


def check_mapping(value: object, where: str) -> dict[str, Any]:
    """Return `value` as a mapping with string keys, or raise SettingsError."""
    if not isinstance(value, Mapping):
        # a text may be a whole file, which was named by mistake
        long = isinstance(value, str) and len(value) > _LONGEST
        told = "a text" if long else shown(value)
        raise SettingsError(
            f"{where} is {told}, not a mapping", f"Write {where} as name: value lines"
        )
    return {str(key): item for key, item in value.items()}


def nearest(name: str, names: Sequence[str]) -> str:
    """Return which of the `names` is meant, or which there are, as what to do."""
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known: {', '.join(names)}" if 0 < len(names) <= 30 else "Check its spelling"
