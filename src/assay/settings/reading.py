"""Settings as YAML, from a file or a command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from assay.errors import SettingsError
from assay.settings.secrets import redacted

MOST_EXPANDED = 100_000
"""The values that the aliases of a text may stand for: few lines can stand for billions."""
# YAML 1.1 takes 1e-4, and 1e-05 as JSON writes it, for text
_EXPONENT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]{1,3}\Z")
# which YAML would fold into a space, or take for none, where they are not escaped
_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")
_FLOAT = ("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def from_yaml(text: str) -> Any:
    """Return what a YAML text says. Raises ValueError, as `yaml_problem` tells it, also for what
    is nested too deeply, holds itself, or is too much by its aliases."""
    import yaml

    try:
        value = yaml.load(text, _once_each())  # noqa: S506  it is a safe loader
        json.dumps(value, default=str, skipkeys=True)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(yaml_problem(error)) from None
    return value


def to_yaml(value: object) -> str:
    """Return the YAML text of a `value`, which `from_yaml` reads as it was."""
    import yaml

    class Quoting(yaml.SafeDumper):
        def represent_text(self, text: str) -> yaml.ScalarNode:
            style = '"' if _BREAKS.search(text) else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style)

    Quoting.add_representer(str, Quoting.represent_text)
    Quoting.add_implicit_resolver(*_FLOAT)
    return yaml.dump(value, Dumper=Quoting, sort_keys=False, allow_unicode=True, width=100)


def _once_each() -> Any:
    """Return a safe loader that refuses a name twice in one mapping, where one value would be lost,
    and aliases that stand for very much. A number with an exponent is one."""
    import yaml

    class OnceEach(yaml.SafeLoader):
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            # node -> how many values it is, its aliases written out
            self._expanded: dict[Any, int] = {}

        def compose_sequence_node(self, anchor: Any) -> Any:
            node = super().compose_sequence_node(anchor)
            self._bound(node, node.value)
            return node

        def _bound(self, node: Any, parts: list[Any]) -> None:
            size = 1 + sum(self._expanded.setdefault(part, 1) for part in parts)
            self._expanded[node] = size
            if self.anchors and size > MOST_EXPANDED + len(self._expanded):
                names = ", ".join(f"*{name}" for name in list(self.anchors)[:3])
                problem = (
                    f"its aliases ({names}) stand for more than {MOST_EXPANDED:,} values: write "
                    "out what is meant"
                )
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            self._bound(node, [part for pair in node.value for part in pair])
            names: dict[str, Any] = {}
            for key, _ in node.value:
                if key.value != "<<" and names.setdefault(str(key.value), key) is not key:
                    problem = f"{key.value} stands twice in one mapping"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            return node

    OnceEach.add_implicit_resolver(*_FLOAT)
    return OnceEach


def yaml_problem(error: Exception) -> str:
    """Return what is wrong with a text that is no YAML, and where: the parser's own message quotes
    the lines around it, which may hold a secret."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    told = str(problem or error) if problem or not mark else "it cannot be read"
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return redacted(" ".join(told.split())) + place


def read_assignments(flag: str, assignments: Iterable[str]) -> dict[str, Any]:
    """Return the NAME=VALUE arguments of a repeatable `flag`, each value read as YAML. Raises
    SettingsError."""
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            told = f"{flag} {redacted(assignment)} has no {'value' if name else 'name'}"
            raise SettingsError(told, f"Write {flag} NAME=VALUE")
        try:
            values[name] = from_yaml(value)
        except ValueError as error:
            raise SettingsError(f"{flag} {redacted(name)}: {error}", "Quote the value") from None
    return values
