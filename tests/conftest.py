"""Fixtures that several areas share."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator

import pytest

from tests import minio

BUCKETS = itertools.count()
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as Assay's child processes have it
# a shell's background jobs ignore it, and so would all that the tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[minio.Minio]:
    """A MinIO, one for all tests that need any."""
    with minio.serve(tmp_path_factory.mktemp("minio")) as running:
        yield running


@pytest.fixture(name="bucket")
def make_bucket(server: minio.Minio, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a new bucket, which the environment leads to."""
    from assay.store import s3

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(BUCKETS)}"
    s3.client("minio").create_bucket(Bucket=name)
    return f"minio://{name}"
