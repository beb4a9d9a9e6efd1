"""Imports run one way, and the library is light until a stage needs something heavy."""

from __future__ import annotations

import graphlib
import subprocess
import sys

import pytest

from tests import layers

HEAVY = (
    "torch",
    "transformers",
    "llamafactory",
    "kfp",
    "kubernetes",
    "plotly",
    "pandas",
    "aiohttp",
)
MODULES = layers.modules()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    for imported in layers.imports(MODULES[module], MODULES):
        assert layers.allowed(module, imported), f"assay.{module} imports assay.{imported}"


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {name: layers.imports(path, MODULES) - {name} for name, path in MODULES.items()}
    for name in graph:  # a package's own file gathers what is in it
        graph[name] = {other for other in graph[name] if not name.startswith(f"{other}.")}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(("one", "other"), [("volcano", "kubeflow"), ("metrics", "judge")])
def test_rooms_that_must_never_meet(one: str, other: str) -> None:
    assert not layers.allowed(one, other)
    assert not layers.allowed(other, one)


@pytest.mark.parametrize("code", ["import assay", "from assay.cli.main import parser; parser()"])
def test_the_library_and_its_help_load_nothing_heavy(code: str) -> None:
    found = f"import sys; {code}; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module", ["config", "plan", "run", "task", "local", "demo.run", "terminal", "dispatch"]
)
def test_what_wires_the_stages_loads_nothing_heavy_either(module: str) -> None:
    found = f"import sys, assay.{module}; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
