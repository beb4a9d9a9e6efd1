"""Uploads to be killed, forked from a process that has loaded the store: they start at once."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.forked", "assay.store.s3", "boto3"])


def publish(folder: Path, uri: str, environment: dict[str, str], begun: Event) -> None:
    """Publish a folder to MinIO, and say when that begins."""
    from assay import store
    from assay.store import s3

    os.environ |= environment
    s3.client("minio")
    begun.set()
    store.publish(folder, uri)
