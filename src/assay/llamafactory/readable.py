"""Files of a model that nothing can read, and settings that LLaMA-Factory refuses: told in one line
that names them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assay.errors import ModelError, SettingsError
from assay.llamafactory import DEFAULTS, RESERVED
from assay.settings import shown

# what transformers, PEFT and their like raise for what a file says
_OF_FILES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(ImportError, NotImplementedError, TypeError, ValueError),
)
_PLAIN = {
    "Exception",
    "SafetensorError",
    "StopIteration",
    "StrictDataclassError",
    "UnpicklingError",
}
"""By their names: tokenizers raises no more than Exception, and others are no ValueError."""
_OF_FOLDERS = (None, errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR)
_LONGEST, _FEW = 300, 3


@contextmanager
def readable(name: str, what: str, remedy: str) -> Iterator[None]:
    """Raise ModelError, with the `remedy`, where the body cannot make `what` out of the files of
    the model `name`. What fails by a hub, the memory or the disk is raised as it is."""
    try:
        yield
    except Exception as error:
        if not _is_of_files(error, name):
            raise
        raise ModelError(f"{what} of {name} cannot be loaded: {_told(error)}", remedy) from error


@contextmanager
def accepted(where: str, given: Mapping[str, Any]) -> Iterator[None]:
    """Raise SettingsError where LLaMA-Factory refuses, in the body, what it is `given` in `where`:
    by those settings that are named in what it says, with their values, else by all, if few."""
    try:
        yield
    except Exception as error:
        if not _is_of_settings(error):
            raise
        told = _told(error)
        own = [name for name in given if name not in RESERVED]
        named = [name for name in own if _names(told, name, given[name])]
        others = [name for name in own if name not in DEFAULTS]
        names = named or (others if len(others) <= _FEW else [])
        what = ", ".join(f"{where}.{name} = {shown(given[name], name)}" for name in names) or where
        raise SettingsError(f"LLaMA-Factory refuses {what}: {told}", f"Correct {where}") from error


def _names(told: str, name: str, value: object) -> bool:
    """Return whether a message names a setting, or its value where that is text."""
    words = {word.strip("-.") for word in re.findall(r"[\w./-]+", told)}
    return name in words or (isinstance(value, str) and value in words)


def _is_of_settings(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is not None and error.errno in _OF_FOLDERS
    return _is_of_values(error)


def _is_of_files(error: Exception, name: str) -> bool:
    if isinstance(error, OSError):
        return os.path.isdir(name) and error.errno in _OF_FOLDERS  # noqa: PTH112  too long a name
    return _is_of_values(error)


def _is_of_values(error: Exception) -> bool:
    kinds = {kind.__name__ for kind in type(error).__mro__[:-3]} | {type(error).__name__}
    return isinstance(error, _OF_FILES) or bool(kinds & _PLAIN)


def _told(error: BaseException) -> str:
    """Return what was said, of a chain of errors by the first one."""
    first = error
    while first.__cause__:
        first = first.__cause__
    kind = "" if type(first) is Exception else f"{type(first).__name__}: "
    said = f"{kind}{' '.join(str(first).split())}".rstrip(".")
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
