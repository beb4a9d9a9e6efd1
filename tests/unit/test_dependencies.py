"""Whatever the code imports is declared: a fresh install has it."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OWN = {"assay", "components", "pipelines", "tests"}
# What has an environment of its own: a peer, whose bench says how to name it, and an engine.
ELSEWHERE = {"evalscope", "vllm"}


@functools.cache
def imported(*folders: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [str(node.module)]
                else:
                    continue
                found |= {name.split(".")[0]: path for name in names}
    return found


distributions = functools.cache(importlib.metadata.packages_distributions)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_import_is_locked() -> None:
    locked = {
        normal(line.split("==")[0])
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    providers = distributions()
    for name, path in imported("src", "components", "pipelines", "tests", "docs").items():
        if name in sys.stdlib_module_names or name in OWN | ELSEWHERE:
            continue
        names = {normal(provider) for provider in providers.get(name, [])}
        assert names & locked, f"{path.relative_to(ROOT)} imports {name}, which is not locked"


@pytest.mark.parametrize("extra", ["dataset", "judge", "metrics", "report", "store"])
def test_an_extra_of_the_product_holds_nothing_that_only_tests_import(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules: dict[str, set[str]] = {}
    for module, packages in distributions().items():
        for package in packages:
            modules.setdefault(normal(package), set()).add(module)
    used = imported("src", "components", "pipelines").keys()
    for requirement in project["optional-dependencies"][extra]:
        name = normal(Requirement(requirement).name)
        assert modules[name] & used, f"{name} is imported by nothing that the extra is for"


def test_the_lock_has_hashes_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]
