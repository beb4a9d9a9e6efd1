"""Who works on a folder in a store: one machine at a time.

The object LOCK under the folder's prefix names the owner, who writes it anew every 15 seconds.
Each write is conditional on what was there before, so that of two only one succeeds. Whoever has
not renewed it for 90 seconds, by the store's own clock, is dead: the next one takes it over.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from assay.errors import AssayError, InUseError, StageError, StoreError, StoreUnavailableError
from assay.store.encoding import to_json
from assay.store.lock import LOCK, OWNER, Owner, in_use, now, read_owner, this_process
from assay.store.s3 import client, explained, locate


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """How often a lease is renewed, and when one that is not counts as a dead process's; in
    seconds."""

    renew_s: float = 15.0
    dead_s: float = 90.0


renewal = Renewal()
_JOIN_S = 5.0
_LOST = (404, 409, 412)  # gone, just being written by another, or another's by now
_UNKNOWN = 501  # a store that has no conditional writes, and says so


@dataclass(frozen=True, kw_only=True)
class _There:
    """What lies in the store: whose it is, its ETag, and its age by the store's clock."""

    owner: Owner
    etag: str
    age_s: float


class Lease:
    """This process's hold on the folder `uri`; `home` is where it keeps its files here."""

    def __init__(self, uri: str, home: str) -> None:
        self.uri, self.owner = uri, this_process(home)
        at = locate(f"{uri}/{LOCK}")
        self._where = {"Bucket": at.bucket, "Key": at.key}
        self._s3 = client(at.scheme)
        self._etag = ""
        self._guarded = True
        self._lost: Owner | None = None
        self._using = threading.Lock()

    def take(self) -> None:
        """Take hold. Raises InUseError where another process has it, StoreError."""
        while True:  # where a write comes too late, somebody else's was faster
            there = self._read()
            if there and not self._is_dead(there):
                raise _refused(self.uri, there)
            if self._write({"IfMatch": there.etag} if there else {"IfNoneMatch": "*"}):
                break
        if not (self._guarded and self._is_guarded()):
            self._guarded = False
            _say_unguarded()

    def check(self) -> None:
        """Renew it. Raises StageError where another process has it by now."""
        with self._using:
            if not self._lost:
                self._renew()
            lost = self._lost
        if lost:
            raise StageError(
                f"{self.uri} was taken over by {lost}: this process had not renewed its lock",
                "What it had not sent is kept on this machine: run it again when that has ended",
            )

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken it over."""
        return self._lost is not None

    def keep(self, stop: threading.Event) -> None:
        """Renew it until `stop`; where another process has it, interrupt this one, which would
        pay for what nobody keeps."""
        while not stop.wait(renewal.renew_s) and not self._lost:
            # a store that is away is told of by who uses it, and nobody else reaches it either
            with suppress(AssayError), self._using:
                self._renew()
            if self._lost and callable(signal.getsignal(signal.SIGTERM)):
                os.kill(os.getpid(), signal.SIGTERM)

    def release(self) -> None:
        """Let go of it; where the store does not answer, it ends by itself."""
        with suppress(StoreError, StoreUnavailableError), explained(self.uri):
            there = self._read()
            if there and there.owner.token == self.owner.token:
                self._s3.delete_object(**self._where)

    def _renew(self) -> None:
        if self._write({"IfMatch": self._etag} if self._guarded else {}):
            return
        there = self._read()
        if there is None and self._write({"IfNoneMatch": "*"}):  # somebody removed it
            return
        there = self._read()
        self._lost = there.owner if there else Owner()

    def _is_dead(self, there: _There) -> bool:
        """Whether the owner has ended: by its silence, since this is the same machine's folder,
        which only one process has, or since this is another try of the same work."""
        owner, own = there.owner, self.owner
        if (own.home and own.home == owner.home) or (own.name and own.name == owner.name):
            return True
        if there.age_s <= renewal.dead_s:
            return False
        silent = f"{owner} has not renewed its lock for {there.age_s:.0f} s"
        print(f"assay: {self.uri} is taken over: {silent}", file=sys.stderr, flush=True)
        return True

    def _read(self) -> _There | None:
        from botocore.exceptions import ClientError

        with explained(self.uri):
            try:
                got = self._s3.get_object(**self._where)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "NoSuchKey":
                    raise
                return None
            content = got["Body"].read()
        age = _store_time(got["ResponseMetadata"]) - got["LastModified"]
        return _There(owner=read_owner(content), etag=got["ETag"], age_s=age.total_seconds())

    def _write(self, condition: Mapping[str, str]) -> bool:
        """Return whether the lock is this process's, having been what the condition says."""
        from botocore.exceptions import ClientError

        body = to_json({**asdict(self.owner), "renewed": now()})
        with explained(self.uri):
            try:
                put = self._s3.put_object(**self._where, Body=body, **condition)
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == _UNKNOWN and condition:
                    self._guarded = False
                    return self._write({})
                if status not in _LOST:
                    raise
                return self._is_own()
        self._etag = put["ETag"]
        return True

    def _is_own(self) -> bool:
        """Whether a write that was refused was refused because it had succeeded before: its answer
        was lost, and the client tried again."""
        there = self._read()
        if there is None or there.owner.token != self.owner.token:
            return False
        self._etag = there.etag
        return True

    def _is_guarded(self) -> bool:
        """Whether the store refuses to replace what is there: one that does not know conditions
        takes no notice of them."""
        from botocore.exceptions import ClientError

        with explained(self.uri):
            try:
                body = to_json(asdict(self.owner))
                self._s3.put_object(**self._where, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in _LOST:
                    return True
                raise
        return False


@contextmanager
def leased(uri: str, home: str) -> Iterator[Lease]:
    """Hold the folder `uri` in a store while the block runs. Raises InUseError, StoreError, and
    StageError where another process has taken it over meanwhile."""
    lease, stop = Lease(uri, home), threading.Event()
    lease.take()
    renewing = threading.Thread(target=lease.keep, args=(stop,), name="lease", daemon=True)
    renewing.start()
    try:
        yield lease
    except KeyboardInterrupt:
        if lease.is_lost:
            lease.check()
        raise
    finally:
        stop.set()
        renewing.join(_JOIN_S)
        if not renewing.is_alive():  # else the store is away, and it would be waited for
            lease.release()


def _refused(uri: str, there: _There) -> InUseError:
    return in_use(
        uri,
        there.owner,
        f"It was renewed {max(0, there.age_s):.0f} s ago. Wait for its end or end it; where it is "
        f"dead, it is free {renewal.dead_s:.0f} s after that, and at once for the same {OWNER}",
    )


def _store_time(metadata: Mapping[str, Any]) -> datetime:
    date = metadata.get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return datetime.now(UTC)


@cache
def _say_unguarded() -> None:
    print(
        "assay: this store takes no conditional writes: two machines that begin at the same moment "
        "on one folder are not kept apart",
        file=sys.stderr,
        flush=True,
    )
