"""A real MinIO on the loopback, for tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.demo import minio_server
from assay.demo.minio_server import PASSWORD, USER, Minio
from tests.needs import need

__all__ = ["PASSWORD", "USER", "Minio", "binary", "serve"]


def binary() -> str:
    """Return the path of `minio`, or skip the test."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    found = shutil.which("minio") or shutil.which("minio", path=cache / "assay/bin")
    need(found is not None, "needs MinIO: run tests/minio.sh, which builds it with Go")
    return str(found)


@contextmanager
def serve(folder: Path, *, certificates: Path | None = None) -> Iterator[Minio]:
    """Run MinIO on `folder` until the block ends; with TLS where there are `certificates`."""
    with minio_server.serve(binary(), folder, certificates=certificates) as running:
        yield running
