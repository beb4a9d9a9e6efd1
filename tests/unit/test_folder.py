"""A file of a run folder has its name in folder.py, and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import folder
from tests import layers

FILES = {name: value for name, value in vars(folder).items() if name.isupper()}
# "model" and "panel" are words of other meanings, too
NAMES = {value for value in FILES.values() if "." in value}
MODULES = {name: path for name, path in layers.modules().items() if name != "folder"}


def named(path: Path) -> Iterator[str]:
    """Yield the run folder's files that a module's texts name, alone or at the end of a path."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            last = node.value.rpartition("/")[2]
            if last in NAMES:
                yield f"{path.name}:{node.lineno} {last}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_takes_the_names_of_files_from_folder(module: str) -> None:
    assert not list(named(MODULES[module]))


def test_no_two_files_have_one_name() -> None:
    assert len(set(FILES.values())) == len(FILES)
