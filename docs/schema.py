"""Write the JSON schema of report.json from its dataclasses: called by docs/tables.py."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pydantic

from assay import report
from assay.report.contents import Report

PATH = Path(report.__file__).with_name("schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> str:
    """Return the schema's text: every field of a record is there and no others, and a record is
    described as its docstring does."""
    raw = pydantic.TypeAdapter(Report).json_schema(mode="serialization")
    records = _records(Report)
    definitions = {name: _described(node, records[name]) for name, node in raw.pop("$defs").items()}
    whole = _described(raw, Report)
    head = {"$schema": _DIALECT, "title": "Assay report"}
    return json.dumps(head | whole | {"$defs": definitions}, indent=2, ensure_ascii=False) + "\n"


def _records(kind: Any) -> dict[str, type]:
    """Return every dataclass that `kind` is made of, by name."""
    adapters = pydantic.TypeAdapter(kind).core_schema
    classes: dict[str, type] = {}

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            record = node.get("cls")
            if dataclasses.is_dataclass(record) and isinstance(record, type):
                classes[record.__name__] = record
            for part in node.values():
                visit(part)
        elif isinstance(node, list | tuple):
            for part in node:
                visit(part)

    visit(adapters)
    return classes


def _described(node: dict[str, Any], record: type) -> dict[str, Any]:
    return {"description": " ".join((inspect.getdoc(record) or "").split()), **_strict(node)}


def _strict(node: Any) -> Any:
    """Return a node without titles and defaults, in which every property is required."""
    if isinstance(node, list):
        return [_strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    strict = {
        name: {key: _strict(part) for key, part in value.items()}
        if name == "properties"
        else _strict(value)
        for name, value in node.items()
        if name not in ("title", "default")
    }
    if "properties" in strict:
        strict |= {"required": list(strict["properties"]), "additionalProperties": False}
    return strict


if __name__ == "__main__":
    PATH.write_text(schema(), encoding="utf-8")
