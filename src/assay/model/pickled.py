"""Weights as a pickle: what it would run is read from it, and nothing of it is run.

What loads such weights here (transformers, PEFT) reads tensors alone, `weights_only`; what that
refuses is told before it does.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

from assay.errors import ModelError

SUFFIX = ".bin"
_TENSORS = ("torch", "collections", "_codecs", "numpy")  # packages that a tensor's pickle names
_GLOBALS = ("GLOBAL", "INST")
_OLD_PICKLES = 5  # how many precede the numbers, in what torch wrote before it wrote zip files
_OLD_BYTES = 1 << 24
_AGAIN = "Copy the file there again, whole"


def check(path: Path) -> None:
    """Raise ModelError where pickled weights are cut off, or hold more than tensors."""
    try:
        for name in _names(path):
            if name.partition(".")[0] not in _TENSORS:
                raise ModelError(
                    f"{path} would have {name} run where it is read, so that nothing reads it",
                    "Take the weights as safetensors, from whoever made them",
                )
    except (EOFError, OSError, ValueError, zipfile.BadZipFile):
        raise ModelError(f"{path} is cut off, or no weights", _AGAIN) from None


def _names(path: Path) -> Iterator[str]:
    """Yield what a pickle would have imported, as module.name."""
    for file in _pickles(path):
        strings = ["", ""]
        for code, value, _ in pickletools.genops(file):
            if code.name in _GLOBALS:
                yield str(value).replace(" ", ".")
            elif code.name == "STACK_GLOBAL":
                yield ".".join(strings[-2:])
            elif isinstance(value, str):
                strings.append(value)


def _pickles(path: Path) -> Iterator[io.BytesIO]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
        file.seek(0)
        begin = io.BytesIO(b"" if zipped else file.read(_OLD_BYTES))
    if not zipped:
        for _ in range(_OLD_PICKLES):
            yield begin
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".pkl"):
                yield io.BytesIO(archive.read(name))
