"""The house as its imports draw it: `python -m tests.layers` prints a line a room, lowest first.

A room is a file or package directly in src/assay. It may import the layers below its own, and
within its layer only what WITHIN_A_LAYER names; tests/unit/test_imports.py holds it, file by file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "assay"
LAYERS = (
    {"text", "thoughts", "script", "exits", "unset", "kubernetes"},
    {"errors"},
    {"numeric"},
    {"hub"},
    {"records", "settings", "share", "compiled", "folder", "parameters"},
    {"placement"},
    {"store", "process"},
    {"cases", "decoding", "ending", "tags", "progress", "queues", "resume"},
    {"durable"},
    {"quantiles"},
    {"intervals"},
    {"stats"},
    {"gate"},
    {"llamafactory", "model", "dataset", "trained"},
    {"engine"},
    {"reuse"},
    {"finetune", "generate", "metrics", "judge"},
    {"given"},
    {"served"},
    {"merging", "scoring"},
    {"checkpoints"},
    {"report", "calibrate"},
    {"paths"},
    {"config"},
    {"plan", "measured"},
    {"preflight"},
    {"run"},
    {"task", "terminal"},
    {"dispatch", "local"},
    {"volcano", "kubeflow", "demo"},
    {"cli"},
    {"__main__"},
)
WITHIN_A_LAYER = {("dataset", "llamafactory"), ("llamafactory", "model")}


def modules() -> dict[str, Path]:
    """Return the files of the library by module name, without the leading "assay."."""
    files = [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


def imports(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return which of the `known` modules a file imports, wherever in it."""
    return {name for name in _imported(path) if name in known}


def room(module: str) -> str:
    """Return the room that a module is in."""
    return module.split(".")[0]


def layer(module: str) -> int:
    """Return the number of a module's layer. Raises KeyError for one that has none."""
    numbers = {name: number for number, rooms in enumerate(LAYERS) for name in rooms}
    return numbers[room(module)]


def allowed(importer: str, imported: str) -> bool:
    """Return whether one module may import the other."""
    pair = (room(importer), room(imported))
    return pair[0] == pair[1] or pair in WITHIN_A_LAYER or layer(imported) < layer(importer)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "assay":
            package = str(node.module).removeprefix("assay").removeprefix(".")
            yield package
            yield from (f"{package}.{alias.name}".removeprefix(".") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("assay.") for alias in node.names)


def main() -> None:
    """Print each room with its layer, its files and the rooms that it imports."""
    known = modules()
    for number, rooms in enumerate(LAYERS):
        for name in sorted(rooms):
            own = [path for module, path in known.items() if room(module) == name]
            below = {room(other) for path in own for other in imports(path, known)} - {name}
            print(f"{number:2} {name:12} {len(own):3} files <- {', '.join(sorted(below)) or '-'}")


if __name__ == "__main__":
    main()
