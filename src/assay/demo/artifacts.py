"""The demo's artifacts in a store: what it starts from, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay import progress, store
from assay.demo import minio_server
from assay.errors import SettingsError
from assay.folder import MODEL

OWN, BUCKET = "minio", "assay-demo"


@contextmanager
def opened(where: str, folder: Path) -> Iterator[str]:
    """Give the URI for the demo's artifacts: `where` itself, or for "minio" that of a MinIO which
    runs, with its files in `folder`, while the block does; "" for "". Raises SettingsError."""
    if where != OWN:
        if where and not store.is_remote(where):
            raise SettingsError(f"--store is {where!r}", "Write minio, or s3://BUCKET/KEY")
        yield where.rstrip("/")
        return
    with minio_server.serve(minio_server.program(), folder / OWN) as running:
        before = dict(os.environ)
        os.environ.update(running.environment)
        try:
            store.make_bucket(f"minio://{BUCKET}")
            yield f"minio://{BUCKET}/demo"
        finally:
            os.environ.clear()
            os.environ.update(before)


def send(path: Path, uri: str, listen: progress.Listener) -> str:
    """Publish a file or folder and return its URI."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    total = max(1, sum(file.stat().st_size for file in files) >> 20)
    with progress.track(listen, "publish", total=total, unit="MB", note=uri) as tracker:
        store.publish(path, uri, progress.megabytes(tracker))
        tracker.at(total)
    return uri


def send_run(run: Path, model: Path, uri: str, listen: progress.Listener) -> None:
    """Publish a run folder, as `assay run --out URI` does, with the tuned model whole."""
    for path in sorted(run.iterdir()):
        send(model if path.name == MODEL else path, f"{uri}/{path.name}", listen)


def describe(uri: str) -> str:
    """Return the objects under `uri` with their bytes, a line each."""
    lines = [f"{store.size(f'{uri}/{name}'):>13,}  {name}" for name in store.listed(uri)]
    return "\n".join([f"Objects of {uri}:", *lines])
