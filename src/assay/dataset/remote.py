"""Sources in a store, read through a copy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import store
from assay.errors import DatasetError

INFO = "dataset_info.json"


@contextmanager
def copied(source: str) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Give `source` as a local one, and a function that puts the names that the user knows back
    into a message; errors have them already. A copy lives as long as the block."""
    if not store.is_remote(source):
        yield source, str
        return
    uri, mark, names = source.partition("#")
    folder, _, name = uri.rstrip("/").rpartition("/")
    if name == INFO:
        uri = folder
    with tempfile.TemporaryDirectory(prefix="assay-") as copies:
        local = str(store.fetch(uri, Path(copies)))

        def named(message: str) -> str:
            return message.replace(local, uri.rstrip("/"))

        try:
            yield f"{local}{mark}{names}", named
        except DatasetError as error:
            raise DatasetError(named(error.what), named(error.remedy)) from None
