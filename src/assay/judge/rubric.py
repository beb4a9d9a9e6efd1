"""The rubric: which dimensions are scored, on which scale, and what each level means."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from assay import settings, store
from assay.errors import JudgeError, SettingsError
from assay.judge.specs import dimension_specs
from assay.records import MetricSpec

COMMENTARY, OVERALL = "commentary", "overall"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Rubric:
    """Dimension name -> level -> what an answer of that level is like.

    `scale` holds the described levels in rising order; its ends are the lowest and the highest
    score. Integers between two levels are allowed scores. `directions` says of a dimension whether
    higher scores are better (as of each that it does not name), lower ones, or neither.
    """

    name: str
    version: str
    language: Literal["en", "zh"]
    scale: tuple[int, ...]
    dimensions: Mapping[str, Mapping[int, str]]
    directions: Mapping[str, Literal["higher", "lower", "neither"]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.version, *self.dimensions))

    @property
    def low(self) -> int:
        """The lowest score."""
        return self.scale[0]

    @property
    def high(self) -> int:
        """The highest score."""
        return self.scale[-1]

    @property
    def digest(self) -> str:
        """sha256 over everything that a judge is asked by it, so that any change makes it another
        rubric; its directions only say how the scores are read."""
        asked = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        del asked["directions"]
        return hashlib.sha256(store.to_json(asked)).hexdigest()

    def parts(self) -> tuple[Rubric, ...]:
        """Return one rubric for each dimension."""
        return tuple(
            replace(self, dimensions={name: levels}) for name, levels in self.dimensions.items()
        )


def load(name: str) -> Rubric:
    """Return the built-in rubric `name`, or the one in the YAML file of that path or URI.

    Raises JudgeError for a file that is missing, not YAML, or not a rubric: an unknown key, a
    scale that does not rise, a level without description; StoreError for a store that does not
    give it."""
    return _builtin(name) if name in builtin_names() else _read(name)


@functools.cache
def _builtin(name: str) -> Rubric:
    return _read(name)


def _read(name: str) -> Rubric:
    try:
        content = settings.from_yaml(_text(name))
    except (FileNotFoundError, IsADirectoryError):
        raise JudgeError(
            f"judge.rubric = {name!r} is neither a built-in rubric nor a file",
            f"Use one of {', '.join(builtin_names())}, or the path of a YAML file",
        ) from None
    except ValueError as error:
        line = settings.yaml_problem(error)
        raise JudgeError(f"{name} is not YAML: {line}", "Correct the file") from None
    return parse(content, name)


def _text(name: str) -> str:
    if name in builtin_names():
        return (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    if not store.is_remote(name):
        return Path(name).read_text(encoding="utf-8")
    with store.fetched(name) as path:
        return path.read_text(encoding="utf-8")


def dimensions(name: str) -> tuple[str, ...]:
    """Return what the rubric `name` scores. Raises JudgeError as `load` does."""
    return tuple(load(name).dimensions)


def specs_of(name: str) -> tuple[MetricSpec, ...]:
    """Return what each dimension of the rubric `name` is. Raises JudgeError as `load` does."""
    rubric = load(name)
    return dimension_specs(rubric.dimensions, (rubric.low, rubric.high), rubric.directions)


def builtin_names() -> list[str]:
    """Return the names of the rubrics that come with Assay."""
    return sorted(file.name.removesuffix(".yaml") for file in _folder().iterdir())


def _folder() -> Traversable:
    return resources.files("assay.judge") / "rubrics"


def parse(content: object, where: str) -> Rubric:
    """Return the rubric that the YAML value `content` of file `where` says. Raises JudgeError."""
    try:
        values = settings.check_mapping(content, where)
        rubric = settings.build(Rubric, values, where)
    except SettingsError as error:
        raise JudgeError(error.what, error.remedy) from None
    _check_scale(rubric, where)
    for name, levels in rubric.dimensions.items():
        _check_dimension(rubric, name, levels, where)
    _check_directions(rubric, where)
    if not rubric.dimensions:
        raise JudgeError(f"{where} has no dimensions", "Describe at least one dimension")
    return rubric


def _check_scale(rubric: Rubric, where: str) -> None:
    scale = list(rubric.scale)
    if len(scale) < 2 or scale != sorted(set(scale)):
        raise JudgeError(
            f"{where}: scale = {scale} does not rise",
            "List the described levels from the lowest score to the highest, such as "
            "[1, 3, 5, 7, 10]",
        )


def _check_directions(rubric: Rubric, where: str) -> None:
    """The self-test and the headline rest on a score that is better the higher it is."""
    for name in rubric.directions:
        if name not in rubric.dimensions:
            raise JudgeError(
                f"{where}: directions names {name}, which is no dimension",
                f"Use one of {', '.join(rubric.dimensions)}",
            )
    others = [name for name, direction in rubric.directions.items() if direction != "higher"]
    if others and (OVERALL in others or OVERALL not in rubric.dimensions):
        raise JudgeError(
            f"{where}: dimension {others[0]} is {rubric.directions[others[0]]}, and no {OVERALL} "
            "says how good the answer is as a whole",
            f"Add a dimension {OVERALL}, better the higher it is",
        )


def _check_dimension(rubric: Rubric, name: str, levels: Mapping[int, str], where: str) -> None:
    if not _NAME.fullmatch(name) or name == COMMENTARY:
        raise JudgeError(
            f"{where}: {name!r} cannot name a dimension",
            "Use lower-case letters, digits and underscores; commentary is taken",
        )
    missing = [level for level in rubric.scale if not levels.get(level, "").strip()]
    if missing:
        raise JudgeError(
            f"{where}: dimension {name} does not describe level {missing[0]}",
            f"Describe each of {list(rubric.scale)}",
        )
    beside = [level for level in levels if level not in rubric.scale]
    if beside:
        raise JudgeError(
            f"{where}: dimension {name} describes level {beside[0]}, which is not on the scale",
            f"Add {beside[0]} to scale, or leave the level out",
        )
