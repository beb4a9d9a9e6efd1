"""Function calls as models write them: what chat templates put around them taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assay.metrics.json_text import FENCED, parse, parse_several

_BLOCK = re.compile(r"<tool_calls?>\s*(.+?)\s*</tool_calls?>", re.DOTALL)
_ACTION = re.compile(
    r"^[ \t]*Action:[ \t]*([\w.-]+)[ \t]*\r?\n\s*Action Input:[ \t]*"
    r"(.+?)(?=\s*^[ \t]*Action:|\s*\Z)",
    re.DOTALL | re.MULTILINE,
)
_TAGGED = re.compile(r"<function=\s*([^\s<>]+?)\s*>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=\s*([^<>]+?)\s*>(.*?)</parameter>", re.DOTALL)
_NAMED = re.compile(r"\s*([A-Za-z_][\w.-]*)[ \t]*\r?\n\s*(\{.*)", re.DOTALL)
_BEFORE = re.compile(r"\s*(?:<\|python_tag\|>|\[TOOL_CALLS\])\s*")


def calls_in(text: str) -> list[Any]:
    """Return the calls that a text is, each as the JSON of it, whatever of these writes them: JSON
    of one, of a list or one after the other, bare, in a fenced block or in <tool_call> marks;
    <function=...> marks; Action and Action Input; a name and its arguments below it. Raises
    ValueError or RecursionError where it is none of these."""
    text = text[match.end() :] if (match := _BEFORE.match(text)) else text
    if blocks := _BLOCK.findall(text):
        return [call for block in blocks for call in _tagged(block) or _listed(block)]
    if actions := _ACTION.findall(text):
        return [{"name": name, "arguments": given} for name, given in actions]
    if match := _NAMED.fullmatch(text):
        return [{"name": match[1], "arguments": match[2]}]
    fenced = FENCED.findall(text)
    return _listed(fenced[0] if len(fenced) == 1 else text)


def _listed(text: str) -> list[Any]:
    """Return the calls in JSON: its values, or those of the list that it is."""
    value = parse_several(text) or [parse(text)]
    value = value[0] if len(value) == 1 else value
    value = value.get("tool_calls", value) if isinstance(value, dict) else value
    return value if isinstance(value, list) and value else [value]


def _tagged(block: str) -> list[Any]:
    return [
        {"name": name, "arguments": dict(_parameters(inner))}
        for name, inner in _TAGGED.findall(block)
    ]


def _parameters(text: str) -> Iterator[tuple[str, Any]]:
    for name, written in _PARAMETER.findall(text):
        try:
            yield name, parse(written)
        except (ValueError, RecursionError):
            yield name, written.strip("\r\n")
