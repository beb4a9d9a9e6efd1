"""Imports run one way, and the library is light until a stage needs something heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "assay"

# Each layer may import the layers before it, and within itself only what is named here.
LAYERS = (
    {"errors"},
    {"records", "settings", "placement"},
    {"store", "process"},
    {"progress"},
    {"llamafactory", "model", "latest", "dataset"},
    {"intervals"},
    {"stats"},
    {"finetune", "generate", "metrics", "judge"},
    {"gate"},
    {"report"},
    {"config"},
    {"run"},
    {"terminal", "task"},
    {"local", "gate_cli", "calibrate"},
    {"cluster", "demo"},
    {"cli"},
    {"__main__"},
)
WITHIN_A_LAYER = {("dataset", "llamafactory"), ("demo", "cluster")}
HEAVY = ("torch", "transformers", "llamafactory", "kfp", "kubernetes", "plotly", "pandas", "openai")


def modules() -> list[tuple[str, Path]]:
    return [
        (path.relative_to(SOURCE).parts[0].removesuffix(".py"), path)
        for path in sorted(SOURCE.rglob("*.py"))
        if path != SOURCE / "__init__.py"
    ]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "assay":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("assay."):
            names.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("assay.")}
    return names - {"__version__"}


@pytest.mark.parametrize(
    ("module", "path"), modules(), ids=[str(path.relative_to(SOURCE)) for _, path in modules()]
)
def test_a_module_imports_only_what_lies_below_it(module: str, path: Path) -> None:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    assert module in layer, f"{module} has no place among the layers"
    for name in imported(path) - {module}:
        allowed = layer[name] < layer[module] or (module, name) in WITHIN_A_LAYER
        assert allowed, f"{path} imports assay.{name}"


@pytest.mark.parametrize("code", ["import assay", "from assay import cli; cli._parser()"])
def test_the_library_and_its_help_load_nothing_heavy(code: str) -> None:
    found = f"import sys; {code}; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module", ["config", "run", "task", "local", "demo.run", "terminal", "cluster.stages"]
)
def test_what_wires_the_stages_loads_nothing_heavy_either(module: str) -> None:
    found = f"import sys, assay.{module}; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
