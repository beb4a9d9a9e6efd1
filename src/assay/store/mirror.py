"""A folder of artifacts in a store, worked on through a mirror on this machine.

The mirror stays on this machine, so that what was killed before it was sent is there for the next
try, whatever another machine has sent meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assay.errors import InputError, InUseError, StageError, StoreError, UnsentError
from assay.store.artifacts import check_folder, is_remote
from assay.store.cache import locked, place
from assay.store.deliver import send_from, send_or_say
from assay.store.entries import Entries
from assay.store.keeping import keeping
from assay.store.lease import leased
from assay.store.lock import held, machine
from assay.store.s3 import address
from assay.store.upload import Advance, ignore


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A `folder` to work in; `send` brings what has changed in it, and is no unfinished work, to
    where the folder belongs: `uri` in a store, "" where that is the folder itself."""

    folder: Path
    send: Callable[[], None] = lambda: None
    uri: str = ""


@contextmanager
def mirrored(
    uri: str, *, weights: bool = True, advance: Advance = ignore, alone: bool = True
) -> Iterator[Mirror]:
    """Give the folder `uri` to work in: itself where it is a local path, else a mirror of it. What
    has changed when the block ends is sent. Without `weights`, weight files stay in the store.
    `advance` is told of bytes as they come and go.

    Nobody else works in it meanwhile, on any machine; who is not `alone` writes only what no other
    writes, and is not kept out. Raises InUseError, StoreError, and StageError where another
    machine has taken the folder over.
    """
    if not is_remote(uri):
        check_folder(uri)
        with held(Path(uri)) if alone else ExitStack():
            yield Mirror(folder=Path(uri))
        return
    uri = uri.rstrip("/")
    home = place("mirrors", address(), uri)
    with ExitStack() as stack:
        if alone:
            stack.enter_context(held(home, uri, again=False))
            lease = stack.enter_context(leased(uri, machine(home)))
            entries = Entries(uri, home, advance, check=lease.check)
            entries.save()
        else:
            entries = Entries(uri, stack.enter_context(_beside(home, uri)), advance)
        entries.bring(weights)
        if not alone:
            entries.keep_as_they_are()
        send = partial(send_from, entries.folder, entries.send)
        stack.enter_context(keeping(entries.folder, send))
        try:
            yield Mirror(folder=entries.folder, send=send, uri=uri)
        except (StageError, InputError) as error:
            # it keeps what it had finished, such as verdicts that were paid for
            if not isinstance(error, StoreError | UnsentError):
                send_or_say(send)
            raise
        send()


@contextmanager
def _beside(home: Path, uri: str) -> Iterator[Path]:
    """Give the mirror's home, or, where a process works in it, one beside it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(held(home, uri, again=False))
        except InUseError:
            home = home.with_name(f"{home.name}.read")
            stack.enter_context(locked(home))
        yield home
