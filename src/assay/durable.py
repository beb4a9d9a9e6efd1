"""What a task makes, and what it has done so far, in the store: a pod's disk goes with the pod.

Beside the place of its result a task keeps its unfinished work (store.kept), which any later try
takes up; it is removed when the result is whole.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from assay import progress, store
from assay.errors import StoreError, UnsentError
from assay.share import Share

SUFFIX = ".partial"


@contextmanager
def durable(
    stage: str, made: Mapping[Path, str], folder: Path, contents: store.Contents
) -> Iterator[None]:
    """While the block runs, keep the unfinished work in `folder` beside the first URI of `made`
    (paths -> URIs); when it ends without an error, send what was made there, in that order, and
    what the wait for the store was with the last of it.

    Raises StoreError where nothing can be read there, UnsentError where the result cannot be sent.
    """
    uri = area_of(place_of(made))
    with store.kept(folder, uri, contents) as area:
        yield
        send_all(stage, made, f"what can be gone on from is in {uri}")
        area.remove()


def place_of(made: Mapping[Path, str]) -> str:
    """Return the URI that identifies a task: the first of those of what it makes."""
    return next(iter(made.values()))


def area_of(uri: str) -> str:
    """Return where the unfinished work of a task is, by its URI."""
    return f"{uri}{SUFFIX}"


def shard_of(uri: str, share: Share) -> str:
    """Return where what a share of a task came to is until all of them are put together, by the
    task's URI: it goes with the unfinished work."""
    return f"{area_of(uri)}/{share.name}"


def send_all(stage: str, made: Mapping[Path, str], kept: str) -> None:
    """Send what was made, in that order, and what the wait for the store was with the last of it;
    `kept` is for the error of what cannot be sent. Raises UnsentError."""
    *_, (last, place) = made.items()
    for path, uri in made.items():
        if path == last:
            progress.count_waits(path, stage)
        sent = store.deliver(path, uri, kept=kept)
        print(f"published {path.name}: {sent.files} files, {sent.bytes:,} bytes", flush=True)
    if progress.count_waits(last, stage):  # the last of it was waited with, too
        store.deliver(last, place, kept=kept)


@contextmanager
def as_it_comes(stage: str, out: Path, uri: str) -> Iterator[None]:
    """While the block runs, keep what a task on a CPU appends to its logs in `out`, such as
    verdicts that were paid for, beside the `uri` that `out` goes to; when it ends without an
    error, `out` is there. Begin with what an earlier try has there.

    Where this process has no access to the store, what is around it sends `out` at its end.
    """
    if not has_access(uri):
        yield
        return
    if store.exists(uri):
        _fill(out, uri)
    with store.kept(out, area_of(uri), store.Contents()) as area:
        yield
        progress.count_waits(out, stage)
        try:
            store.deliver(out, uri, wait=area.sent, kept=f"what was done is in {area.uri}")
        except UnsentError as error:
            if area.sent:
                raise
            print(f"left to Kubeflow Pipelines to send: {error.what}", file=sys.stderr, flush=True)
        else:
            area.remove()


@contextmanager
def kept_of(run: store.Mirror, part: str, work: Path, contents: store.Contents) -> Iterator[None]:
    """While the block runs, keep the unfinished `work` on a part of a run, where the run lies in a
    store, beside that part there; when it ends without an error, send what is new of the run.
    Raises as `durable` does."""
    if not run.uri:
        yield
        return
    with store.kept(work, area_of(f"{run.uri}/{part}"), contents) as area:
        yield
        run.send()
        area.remove()


def has_access(uri: str) -> bool:
    """Return whether `uri` lies in a store, and this process may look at it."""
    if not store.is_remote(uri):
        return False
    try:
        store.exists(uri)
    except StoreError as error:
        print(f"nothing is kept before the end: {error.what}", file=sys.stderr, flush=True)
        return False
    return True


def _fill(out: Path, uri: str) -> None:
    with tempfile.TemporaryDirectory(prefix="assay-") as copies:
        index = shutil.ignore_patterns(store.INDEX)
        there = store.fetch(uri, Path(copies))
        shutil.copytree(there, out, dirs_exist_ok=True, ignore=index)


def forget(uri: str) -> None:
    """Remove the unfinished work beside `uri`, whose result is whole: a try that was killed after
    it had sent it leaves its work behind."""
    with tempfile.TemporaryDirectory(prefix="assay-") as nothing:
        store.Area(Path(nothing), area_of(uri), store.Contents()).remove()
