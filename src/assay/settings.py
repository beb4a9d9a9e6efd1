"""Settings: mappings in, validated frozen dataclasses out; what is unknown is refused by name."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from assay.errors import SettingsError

T = TypeVar("T")

_SECRET = re.compile(r"(^|_)(api_?key|key|token|password|secret)$", re.IGNORECASE)


def build(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return `cls(**values)` with every name, type and range checked.

    `where` is the section that the values come from, for the message. Raises SettingsError.
    """
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    check_names(values, names, where)
    missing = [name for name in _required(cls) if name not in values]
    if missing:
        raise SettingsError(f"{where}.{missing[0]} is missing", f"Set {where}.{missing[0]}")
    return _validate(cls, values, where)


def check_names(values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise SettingsError for the first name in `values` that is not `known`, and for secrets."""
    known = sorted(known)
    for name in values:
        if name in known:
            continue
        if _SECRET.search(str(name)) and not difflib.get_close_matches(name, known, cutoff=0.9):
            raise SettingsError(
                f"{where}.{name} looks like a secret, which no setting may hold",
                "Remove it and pass it by environment variable or Kubernetes Secret",
            )
        raise SettingsError(f"{where}.{name} is not a setting", _nearest(str(name), known))


def check_mapping(value: object, where: str) -> dict[str, Any]:
    """Return `value` as a mapping with string keys, or raise SettingsError."""
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"{where} is {value!r}, not a mapping", f"Write {where} as name: value lines"
        )
    return {str(key): item for key, item in value.items()}


def read_assignments(flag: str, assignments: Iterable[str]) -> dict[str, Any]:
    """Return the NAME=VALUE arguments of a repeatable `flag`, each value read as YAML. Raises
    SettingsError."""
    import yaml

    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"{flag} {assignment} has no value", f"Write {flag} NAME=VALUE")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            line = " ".join(str(error).split())
            raise SettingsError(f"{flag} {assignment}: {line}", "Quote the value") from None
    return values


def _required(cls: type) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known: {', '.join(known)}" if len(known) <= 30 else "Check its spelling"


def _validate(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    # As JSON, since strict validation of Python values takes no mapping for a dataclass and no
    # list for a tuple; both are what YAML and pipeline parameters give.
    text = json.dumps(dict(values), default=str)
    try:
        return TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join([where, *(str(part) for part in first["loc"])])
        message = str(first["msg"])
        raise SettingsError(
            f"{name} = {first['input']!r}: {message[0].lower()}{message[1:]}", f"Correct {name}"
        ) from None
