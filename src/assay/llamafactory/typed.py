"""Which values a setting of LLaMA-Factory takes, by what it declares: its own parser takes whatever
a file says, and what comes of a wrong one is seen, if at all, where it is used."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from assay.errors import SettingsError
from assay.settings import shown

# how a kind is told
_TOLD = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "text",
    "list": "a list",
    "mapping": "a mapping",
}
# which kinds of settings take a value of each kind: what YAML and JSON say otherwise counts, and
# text with commas may be a list
_TAKEN_BY = {
    "null": ("null", "bool"),
    "bool": ("bool",),
    "int": ("int", "float"),
    "float": ("float",),
    "text": ("text",),
    "list": ("list", "text"),
    "mapping": ("mapping",),
}
_MOST = 12  # choices that are told
_QUOTES = "Put it in quotes: in YAML numbers, yes, no, on and off are no text without them"


def check(name: str, value: object, kinds: Sequence[str], choices: Sequence[str] | None) -> None:
    """Raise SettingsError where the setting `name` takes values of these `kinds` (none: any), text
    only of the `choices` where there are some, and this is no such value."""
    kind = _kind(value)
    if not kinds or (kind == "int" and "bool" in kinds and value in (0, 1)):
        return
    if choices and kind != "null":
        if value not in choices and not (kind == "bool" and "bool" in kinds):
            raise _refused(name, value, _either(choices), _near(value, choices))
    elif not set(kinds) & set(_TAKEN_BY[kind]):
        texts = kind in ("bool", "int", "float") and "text" in kinds
        told = _either([*choices] if choices else [_TOLD[kind] for kind in kinds if kind in _TOLD])
        raise _refused(name, value, told, _QUOTES if texts else f"Correct {name}")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return "int" if value.is_integer() else "float"  # a pipeline's JSON has only floats
    kinds = {bool: "bool", int: "int", str: "text"}
    named = next((kind for of, kind in kinds.items() if isinstance(value, of)), "")
    return named or ("mapping" if isinstance(value, Mapping) else "list")


def _refused(name: str, value: object, taken: str, remedy: str) -> SettingsError:
    return SettingsError(f"{name} = {shown(value)}: LLaMA-Factory takes {taken}", remedy)


def _near(value: object, choices: Sequence[str]) -> str:
    if isinstance(value, bool | int | float):
        return _QUOTES if str(value) in choices or "no" in choices else "Choose one of them"
    close = difflib.get_close_matches(str(value), choices, n=1)
    return f"Did you mean {close[0]}?" if close else "Choose one of them"


def _either(words: Sequence[str]) -> str:
    *others, last = [*words[:_MOST], "others"] if len(words) > _MOST else words
    return f"{', '.join(others)} or {last}" if others else last
