"""A worker whose model is a stand-in, `python -m tests.chaos.worker`: the stages, their files and
what is kept of them are the real ones."""

from __future__ import annotations

from assay import process
from assay.volcano import worker

STAND_INS = {
    "assay.llamafactory.train": "tests.chaos.training",
    "assay.engine.child": "tests.chaos.answering",
}
_python = process.python


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line of a module, or of what stands in for it."""
    return _python(STAND_INS.get(module, module), *arguments)


if __name__ == "__main__":
    process.python = python
    worker.main()
