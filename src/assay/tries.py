"""Errors that Kubeflow Pipelines' own retries of a task do not repeat.

KFP tries a task again whose pod failed, whatever it failed of: a store that was away while KFP
fetched the inputs, but also an error that was told on purpose, which stays. So that nothing is
trained, asked or waited for once more for it, the error lies beside the task's place in the store,
and the next of these tries ends with it at once. Retry in KFP, by a person, begins from nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assay import durable, store
from assay.errors import AssayError, RepeatedError, StoreUnavailableError, UnsentError

NUMBER = "KFP_RETRY_INDEX"  # how many tries there were before; not there where a task has none
SUFFIX = ".failed"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a try ended."""

    what: str
    remedy: str
    exit_code: int


@contextmanager
def counted(uri: str) -> Iterator[None]:
    """While the block runs, which makes what goes to `uri`, keep the error that it ends with for
    the next try, but for one that waiting mends. Raises RepeatedError for one that was kept."""
    number = os.environ.get(NUMBER)
    if not number or not durable.has_access(uri):
        yield
        return
    place = f"{uri}{SUFFIX}"
    with store.relied_on(False):
        if number == "0":
            store.remove(place)
        elif store.exists(place):
            raise _kept(place)
    try:
        yield
    except (StoreUnavailableError, UnsentError):
        raise
    except AssayError as error:
        with store.relied_on(False):
            _keep(error, place)
        raise


def _kept(place: str) -> RepeatedError:
    with store.fetched(place) as path:
        failure = store.read_record(path, Failure)
    return RepeatedError(failure.what, failure.remedy, exit_code=failure.exit_code)


def _keep(error: AssayError, place: str) -> None:
    failure = Failure(what=error.what, remedy=error.remedy, exit_code=error.exit_code)
    with TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / "failure.json"
        store.write_json(path, failure)
        try:
            store.publish(path, place)
        except AssayError as problem:
            print(f"{place} is not kept: {problem.what}", flush=True)
