"""A report travels: it names models and data of this machine without the folders they lie in.

Hub ids, URIs and relative paths are as the user wrote them. What is computed from a name, such as
whether a judge is a model under test, is computed before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from assay import hub
from assay.model import apart, joined
from assay.report.contents import Report, Source

_COMMON = ("model", "generated_predictions.jsonl")


def without_places(report: Report) -> Report:
    """Return the report with each path of this machine as its last part."""
    data = report.data and dataclasses.replace(
        report.data,
        evaluation=_source(report.data.evaluation),
        training=report.data.training and _source(report.data.training),
    )
    return dataclasses.replace(
        report,
        sides=_short(report.sides),
        data=data,
        provenance=_short(report.provenance),
    )


def last(name: str) -> str:
    """Return the last part of a path or hub id; what every tool calls so with the folder that holds
    it, and without the commit of a hub id."""
    name = hub.split(name)[0]
    parts = name.rstrip("/").split("/")
    return "/".join(parts[-2:] if parts[-1] in _COMMON else parts[-1:]) or name


def _source(source: Source) -> Source:
    folder = source.name.partition("#")[0].rpartition("/")[0]
    invalid = source.invalid
    if _is_path(source.name) and folder:
        invalid = tuple(row.replace(f"{folder}/", "") for row in invalid)
    return dataclasses.replace(source, name=_short(source.name), invalid=invalid)


def _short(value: Any) -> Any:
    """Return a value with each text in it that is a path of this machine as its last part."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **_short(vars(value)))
    if isinstance(value, Mapping):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_short(inner) for inner in value)
    return _short_text(value) if isinstance(value, str) and _is_path(value) else value


def _short_text(text: str) -> str:
    """Return a path as its last part, and several with commas between as theirs."""
    parts = apart(text)
    several = all(_is_path(part) or "://" in part for part in parts)
    if not several:
        return last(text)
    return joined([last(part) if _is_path(part) else part for part in parts])


def _is_path(text: str) -> bool:
    """Return whether a text is an absolute path: of one part, it may be a word such as /think."""
    return text.startswith(("/", "~/")) and text.count("/") > 1 and "\n" not in text
