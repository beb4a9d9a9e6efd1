"""How a configuration names answers that exist already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from annotated_types import MinLen

from assay import settings
from assay.errors import SettingsError
from assay.generate import GenerateSettings

SHORT = "predictions"
USED = ("evaluate_loss", "score_thoughts", "thought_marks")
"""The settings of `generate` that answers in a file are read by."""
OBEYED = (*USED, "engine", "max_unanswered")
_PLACES = {"candidate": "model", "baseline": "baseline"}


@dataclass(frozen=True, kw_only=True)
class GivenAnswers:
    """The file `predictions` of answers, in the place of the model that gave them: jsonl, json,
    csv, parquet or arrow, or a folder with one, also as s3:// and minio://."""

    predictions: Annotated[str, MinLen(1)]

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused

    def __str__(self) -> str:
        """Return the file's name."""
        return self.predictions


def expanded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with `predictions`, a file or one for each side, written out
    as the model and the baseline that it stands for. Raises SettingsError."""
    rest = {name: value for name, value in values.items() if name != SHORT}
    if SHORT not in values:
        return rest
    asked = values[SHORT]
    files = asked if isinstance(asked, Mapping) else {"candidate": asked}
    settings.check_names(files, tuple(_PLACES), SHORT)
    named = {side: file for side, file in files.items() if file is not None}
    if not named:
        raise SettingsError(f"{SHORT} names no file", "Name the file of the candidate's answers")
    for side, file in named.items():
        rest[_PLACES[side]] = _written_out(side, file, rest)
    return rest


def check_answering(answering: GenerateSettings) -> None:
    """Raise SettingsError for a setting of `generate` that nothing obeys where no model answers."""
    unused = (field.name for field in fields(answering) if field.name not in OBEYED)
    for name in settings.changed(answering, unused):
        raise SettingsError(
            f"generate.{name} says how a model answers, and all answers of this run are in files",
            "Leave it out",
        )


def given(*models: object) -> list[GivenAnswers]:
    """Return those of the `models` that are files of answers."""
    return [model for model in models if isinstance(model, GivenAnswers)]


def _written_out(side: str, file: object, rest: Mapping[str, Any]) -> dict[str, str]:
    name = _PLACES[side]
    if not isinstance(file, str) or not file:
        shown = settings.shown(file, side)
        raise SettingsError(f"{SHORT}.{side} = {shown} is no file", "Name one file of answers")
    if rest.get(name):
        raise SettingsError(
            f"config has {name}, and {SHORT} for the {side}", "Keep the one that you mean"
        )
    return {SHORT: file}
