"""Every message that Assay raises on purpose, with its remedy, as the source has them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "assay"
UNSAID = "…"
SAID = "(the message says)"


def table() -> str:
    """Return a Markdown table: where in the package, the message, what to do."""
    rows = {row: None for path in sorted(SOURCE.rglob("*.py")) for row in _rows(path)}
    return "\n".join(
        [
            "| in | message | what to do |",
            "|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows),
        ]
    )


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the messages of one file, what varies in them in braces."""
    where = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for node in ast.walk(_with_constants(ast.parse(path.read_text()))):
        if not isinstance(node, ast.Call) or _name(node.func) not in _errors() or not node.args:
            continue
        what, *rest = (_text(argument) for argument in node.args)
        if _name(node.func) == "MissingExtraError":
            what, rest = f"{what} is not installed", [f"pip install 'assay[{rest[0]}]'"]
        if what.replace(UNSAID, "").strip("{} ."):
            yield where, _cell(what), _cell(rest[0] if rest and rest[0] != UNSAID else SAID)


def _with_constants(module: ast.Module) -> ast.Module:
    """Return the module with the names of its own strings replaced by them."""
    constants = {
        target.id: value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(value := node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(value.value, str)
    }

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return constants.get(node.id, node)

    return ast.fix_missing_locations(Replace().visit(module))


@functools.cache
def _errors() -> set[str]:
    tree = ast.parse((SOURCE / "errors.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _text(node: ast.expr) -> str:
    """Return a string expression with what it interpolates named in braces."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_text, parts))
        case ast.FormattedValue(value=value):
            return value.value if isinstance(value, ast.Constant) else f"{{{_name(value)}}}"
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body, orelse=other):
            return " / ".join(text for text in (_text(body), _text(other)) if text != UNSAID)
    return UNSAID


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value) | ast.BoolOp(values=[value, *_]):
            return _name(value)
        case ast.Call(func=ast.Attribute(attr="join"), args=[value]):
            return _name(value)
        case ast.Call(args=[value, *_]):
            return _name(value)
    return UNSAID


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").replace("<", r"\<").split())
