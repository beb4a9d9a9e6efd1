"""A mapping to a frozen dataclass, every name, type and range checked."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from assay.errors import SettingsError
from assay.numeric import check_finite
from assay.settings.names import check_names
from assay.settings.secrets import shown

T = TypeVar("T")
_BRANCH = re.compile(r"(?:constrained-)?(?:float|int|str)|literal\[.*\]")  # of a union, to pydantic
_UNKNOWN = "unexpected_keyword_argument"  # pydantic's name for it
# what pydantic says of each kind of a value that may be a number or text, and calls that kind
_OF_A_UNION = {"float_type": "float", "string_type": "str"}


def build(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return `cls(**values)` with every name, type and range checked.

    `where` is the section that the values come from, for the message. Raises SettingsError.
    """
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    check_names(values, names, where)
    check_finite(values, where)
    missing = [name for name in required(cls) if name not in values]
    if missing:
        raise SettingsError(f"{where}.{missing[0]} is missing", f"Set {where}.{missing[0]}")
    return _validate(cls, values, where)


def required(cls: type) -> list[str]:
    """Return the names of the settings that have no default."""
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


def _validate(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    # As JSON, since strict validation of Python values takes no mapping for a dataclass and no
    # list for a tuple; both are what YAML and pipeline parameters give.
    text = json.dumps(dict(values), default=str)
    try:
        return TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        problems = error.errors()
        unknown = [problem for problem in problems if problem["type"] == _UNKNOWN]
        raise _refused((unknown or problems)[0], where) from None


def _refused(error: Mapping[str, Any], where: str) -> SettingsError:
    """Return what pydantic says of one value as a SettingsError."""
    kind, message = error["type"], str(error["msg"])
    places = [str(part) for part in error["loc"]]
    if len(places) > 1 and _BRANCH.fullmatch(places[-1]):
        *places, branch = places
        if _OF_A_UNION.get(kind) == branch:
            message = "input should be a number or text"
    *outer, last = [where, *places]
    name = ".".join([*outer, last])
    if kind == _UNKNOWN:
        try:
            check_names({last: None}, (), ".".join(outer))
        except SettingsError as unknown:
            return unknown
    if kind.startswith("missing"):
        return SettingsError(f"{name} is missing", f"Set {name}")
    if kind == "json_invalid":
        return SettingsError(f"{where} holds text that is no Unicode", f"Correct {where}")
    told = f"{message[0].lower()}{message[1:]}"
    return SettingsError(f"{name} = {shown(error['input'], last)}: {told}", _remedy(error, name))


def _remedy(error: Mapping[str, Any], name: str) -> str:
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
