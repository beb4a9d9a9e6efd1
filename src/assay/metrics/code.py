"""code-compiles: answers whose Python compiles. Nothing is ever executed."""

from __future__ import annotations

import re
import textwrap
import warnings

from assay.metrics.contract import Unscored
from assay.metrics.reading import rate
from assay.records import Prediction, Sample

_FENCED = re.compile(r"^[ \t]*```([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_PYTHON = ("", "python", "python3", "py")


def code_compiles(sample: Sample, prediction: Prediction) -> float:  # noqa: ARG001
    """Return 100 where the Python in the output compiles, else 0: its fenced blocks one after the
    other, or where it has none all of it.

    Compiling runs nothing. Raises Unscored("no_code") for a blank output and for one whose fenced
    blocks are of other languages.
    """
    code = _code(prediction.output)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for an invalid escape
            compile(code, "<answer>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
        return 0.0
    return 100.0


def _code(output: str) -> str:
    blocks = _FENCED.findall(output)
    python = [textwrap.dedent(code) for name, code in blocks if name.lower() in _PYTHON]
    code = "\n".join(python) if blocks else textwrap.dedent(output)
    if not code.strip():
        raise Unscored("no_code")
    return code


CODE_COMPILES = rate("code-compiles", "whose Python code compiles; it is never run", code_compiles)
