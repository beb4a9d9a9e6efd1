"""The publication of what was computed or paid for: no refusal of the store may cost it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from assay.errors import AssayError, StoreError, StoreUnavailableError, UnsentError
from assay.store import artifacts, outage, s3
from assay.store.upload import Advance, Published, ignore

PAUSE_SECONDS = 10.0
_REFUSED = "a refusal"  # it has a wait of its own: the store does answer


def deliver(
    path: Path, uri: str, advance: Advance = ignore, *, wait: bool = True, kept: str = ""
) -> Published:
    """Publish the result `path` at `uri`, as `artifacts.publish` does.

    With `wait`, which is for a process that takes the result with it when it ends, a refusal such
    as one of permission, of credentials (they are read anew) or of room is waited out as long as an
    outage is. Raises UnsentError, which says where the result, or what is `kept` of it, is.
    """
    since, refused = outage.patience.clock(), outage.watch(_REFUSED)
    while True:
        try:
            sent = artifacts.publish(path, uri, advance)
        except StoreUnavailableError as error:
            raise _unsent(error, kept or f"it is kept in {path}") from None
        except StoreError as error:
            s3.renew()
            if not (wait and refused.waits(since, error.what, PAUSE_SECONDS)):
                raise _unsent(error, kept or f"it is kept in {path}") from None
        else:
            refused.over("done")
            return sent


def _unsent(error: AssayError, kept: str) -> UnsentError:
    return UnsentError(
        f"{error.what}; {kept}", f"{error.remedy}, then try again: it goes on from there"
    )


def send_from(folder: Path, send: Callable[[], None]) -> None:
    """Send what was done in `folder`, where it is kept in any case. Raises UnsentError where the
    store does not take it."""
    try:
        send()
    except (StoreError, StoreUnavailableError) as error:
        raise _unsent(error, f"what was done is kept in {folder}") from None


def send_or_say(send: Callable[[], None]) -> None:
    """Send what a stage that failed had finished; what keeps it from being sent is said, and the
    failure stays what it is."""
    try:
        send()
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr, flush=True)
