"""Who works on a folder: one process at a time, which the operating system makes sure of. A process
that dies, however, lets go of it at once; the file LOCK in the folder says who has it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from assay.errors import InUseError
from assay.store.encoding import to_json
from assay.store.files import disk, partials, write_text

LOCK = ".assay.lock"
OWNER = "ASSAY_OWNER"
_NAME = "name"
_WORD = re.compile("[a-z][a-z-]*")
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process that works on a folder: its host, number and command, and since when (UTC).

    `name` is what the environment variable ASSAY_OWNER calls the work, the same for another try of
    it. `home` is where the process keeps its own files, on this one machine; `token` is no other's.
    """

    host: str = "an unknown host"
    process: int = 0
    command: str = "it does not say which"
    since: str = "an unknown time"
    name: str = ""
    home: str = ""
    token: str = ""

    def __str__(self) -> str:
        if not self.process:
            return self.command
        return f"{self.command} (process {self.process} on {self.host}, since {self.since})"


def this_process(home: str = "") -> Owner:
    """Return what this process is as an owner; no argument of its command line but a command's
    name, since any other may hold a secret."""
    program = Path(sys.argv[0]).name or "python"
    program = "assay" if program == "__main__.py" else program  # python -m assay
    names = [program, *filter(_WORD.fullmatch, sys.argv[1:2])]
    return Owner(
        host=socket.gethostname(),
        process=os.getpid(),
        command=" ".join(names),
        since=now(),
        name=os.environ.get(OWNER, ""),
        home=home,
        token=uuid.uuid4().hex,
    )


def machine(home: Path) -> str:
    """Return what the folder `home` is known by, and the running system that it is used on: who
    has held the two before, and holds `home` no more, has ended."""
    path = home / _NAME
    if not path.is_file():
        write_text(path, uuid.uuid4().hex)
    boot = Path("/proc/sys/kernel/random/boot_id")
    system = boot.read_text().strip() if boot.is_file() else socket.gethostname()
    return f"{path.read_text()}@{system}"


def now() -> str:
    """Return the time as an owner states it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_owner(content: bytes) -> Owner:
    """Return the owner that a lock's content names, one that is unknown where it names none."""
    try:
        told = json.loads(content)
        known = {field.name: type(field.default) for field in fields(Owner)}
        return Owner(**{name: told[name] for name in known if isinstance(told[name], known[name])})
    except (ValueError, KeyError, TypeError, RecursionError):
        return Owner()


def in_use(called: object, owner: Owner, way_out: str) -> InUseError:
    """Return the error of who finds `called` in use by `owner`."""
    return InUseError(f"{called} is in use by another process: {owner}", way_out)


# the threads of this process that hold a folder, and the open lock files
_holders: dict[Path, int] = {}
_open: set[int] = set()


@contextmanager
def held(folder: Path, called: str = "", *, again: bool = True) -> Iterator[None]:
    """Keep everybody else out of `folder`, which is made, while the block runs; the thread that has
    it may enter `again`. `called` is what a message calls it. What a killed process has written
    half in it is removed. Raises InUseError, StoreError."""
    place = folder.resolve()
    if again and _holders.get(place) == threading.get_ident():
        yield
        return
    made = [path for path in (place, *place.parents) if not path.exists()]
    with disk(folder):
        place.mkdir(parents=True, exist_ok=True)
    try:
        lock = _take(place / LOCK, called or str(folder))
        _holders[place] = threading.get_ident()
        try:
            _remove_partials(place)
            yield
        finally:
            del _holders[place]
            _let_go(lock, place / LOCK)
    finally:
        for path in made:
            with suppress(OSError):  # there is something in it, or it was moved away
                path.rmdir()


def _take(path: Path, called: str) -> int:
    """Return the lock file, open and locked. One that its owner removed while it was waited for is
    not the folder's any more."""
    while True:
        with disk(path):
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(lock)
        except BlockingIOError:
            owner = read_owner(os.pread(lock, 4096, 0))
            os.close(lock)
            raise in_use(
                called, owner, "Wait for its end, or end that process: it is free at once then"
            ) from None
        if _is_at(lock, path):
            break
        os.close(lock)
    _open.add(lock)
    with disk(path):
        os.truncate(lock, 0)
        os.pwrite(lock, to_json(asdict(this_process())), 0)
    return lock


def _lock(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _say_unguarded()


def _remove_partials(place: Path) -> None:
    """Remove the partial files of a folder that this process alone has, and of those in it that
    nobody has; without locks nobody knows whose they are."""
    if _say_unguarded.cache_info().currsize:
        return
    with disk(place):
        for folder in (place, *filter(Path.is_dir, place.iterdir())):
            if folder == place or not (folder / LOCK).exists():
                for partial in partials(folder):
                    partial.unlink(missing_ok=True)


@cache
def _say_unguarded() -> None:
    print(
        "assay: this file system has no locks: nothing keeps two processes out of one folder",
        file=sys.stderr,
        flush=True,
    )


def _is_at(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _let_go(lock: int, path: Path) -> None:
    """Remove the file while it is locked, so that nobody's else is removed."""
    _open.discard(lock)
    with suppress(OSError):  # the folder may be gone, or not be writable any more
        if _is_at(lock, path):
            path.unlink()
    os.close(lock)


def _forget() -> None:
    """Let a forked child hold nothing: it may outlive its parent, whose lock it would keep."""
    for lock in _open:
        os.close(lock)
    _open.clear()
    _holders.clear()


os.register_at_fork(after_in_child=_forget)
