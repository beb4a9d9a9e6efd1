"""One name, one thing: what is called alike in two places is the same in both."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests import layers

TYPE = re.compile(r"[A-Z][a-z]\w*")  # what a class or an alias of a type is called


def types(module: str, path: Path) -> Iterator[tuple[str, str]]:
    """Yield what each type defined in a file is called, and what it is: a class is itself alone,
    an alias what it stands for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield node.name, f"a class in assay.{module}"
        elif isinstance(node, ast.Assign) and not ast.unparse(node.value).startswith("TypeVar("):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from ((name, ast.unparse(node.value)) for name in names if TYPE.fullmatch(name))


def meanings() -> dict[str, set[str]]:
    """Return what each type's name means in the library."""
    by_name = defaultdict[str, set[str]](set)
    for module, path in layers.modules().items():
        for name, meaning in types(module, path):
            by_name[name].add(meaning)
    return by_name


def test_a_name_means_one_thing() -> None:
    by_name = meanings()
    assert by_name
    several = {name: sorted(meant) for name, meant in by_name.items() if len(meant) > 1}
    assert several == {}
