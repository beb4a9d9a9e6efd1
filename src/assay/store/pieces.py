"""The objects of a work area: listed, removed, and logs sent as they grow, a segment an object."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

from assay.store import folders
from assay.store.checksums import digest_of, in_threads
from assay.store.files import disk
from assay.store.merge import is_log, join
from assay.store.s3 import Location, client, explained, locate, read

SEGMENT_BYTES = 4 << 20
_LOGS = "logs"


class _Log(NamedTuple):
    inode: int
    sent: int


_ANEW = _Log(-1, 0)


class Pieces:
    """The objects under `uri`, by relative name."""

    def __init__(self, uri: str) -> None:
        self.at = locate(uri)
        self._logs: dict[str, _Log] = {}

    @property
    def _s3(self) -> Any:
        return client(self.at.scheme)

    def names(self) -> list[str]:
        """Return what there is. Raises StoreError."""
        with explained(self.at):
            return folders.names(self._s3, self.at)

    def logs(self, names: Iterable[str]) -> list[str]:
        """Return the logs among the `names`."""
        start = f"{_LOGS}/"
        return sorted({n[len(start) :].rpartition("/")[0] for n in names if n.startswith(start)})

    def bring(self, log: str, names: Set[str], path: Path) -> None:
        """Write the whole lines that there are of a log, of the `names`, to `path`. Rows of a log
        that is only appended to stay, behind those; any other log stays as it is where it has as
        much already. Raises StoreError."""
        with explained(self.at):
            content = b"".join(self._segments(log, names))
        whole = content[: content.rfind(b"\n") + 1]
        rows = path.is_file() and is_log(path)
        if not rows and path.is_file() and path.stat().st_size >= len(whole):
            self._logs[log] = _ANEW
            return
        with disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if rows:
                join(path, whole)
            else:
                path.write_bytes(whole)
        if len(content) - len(whole) <= len(content) % SEGMENT_BYTES:
            self._logs[log] = _Log(path.stat().st_ino, len(whole))
        else:  # a line that was cut off is in two segments: the log is sent anew
            self._logs[log] = _ANEW

    def _segments(self, log: str, names: Set[str]) -> Iterator[bytes]:
        """Yield the segments up to the first one that is not full: what may be behind it was sent
        before it was."""
        start = 0
        while self._name(log, start) in names:
            segment = read(self._s3, Bucket=self.at.bucket, Key=self._key(self._name(log, start)))
            yield segment
            if len(segment) != SEGMENT_BYTES:
                return
            start += SEGMENT_BYTES

    def send(self, log: str, path: Path) -> None:
        """Send what the log has gained. Raises StoreError."""
        status = path.stat()
        inode, sent = self._logs.get(log, _Log(status.st_ino, 0))
        if inode != status.st_ino or status.st_size < sent:  # it was begun anew
            self.remove(f"{_LOGS}/{log}/")
            sent = 0
        with path.open("rb") as file, explained(self.at):
            start = sent - sent % SEGMENT_BYTES
            while sent < status.st_size:
                file.seek(start)
                data = file.read(SEGMENT_BYTES)
                if start + len(data) <= sent:  # it was cut meanwhile: the next look sees that
                    return
                self._put(self._name(log, start), data)
                sent = start = start + len(data)
                self._logs[log] = _Log(status.st_ino, sent)
                start -= start % SEGMENT_BYTES

    def _put(self, name: str, data: bytes) -> None:
        checksum = base64.b64encode(digest_of("sha256", data)).decode()
        self._s3.put_object(
            Bucket=self.at.bucket, Key=self._key(name), Body=data, ChecksumSHA256=checksum
        )

    def remove(self, start: str = "") -> None:
        """Remove all objects whose name begins with `start`, and the uploads of such that were cut
        off. What the others need to be taken up goes first. Raises StoreError."""
        s3, bucket = self._s3, self.at.bucket
        with explained(self.at):
            names = sorted(n for n in self.names() if n.startswith(start))
            first = [n for n in names if n.endswith((folders.INDEX, f"/{0:016}"))]
            first += [n for n in names if n.startswith("files/")]
            for some in (first, [n for n in names if n not in first]):
                in_threads(lambda n: s3.delete_object(Bucket=bucket, Key=self._key(n)), some)
            uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix=self._key(start))
            for upload in uploads.get("Uploads", []):
                s3.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        if not start:
            self._logs.clear()

    def _name(self, log: str, start: int) -> str:
        return f"{_LOGS}/{log}/{start:016}"

    def _key(self, name: str) -> str:
        return Location(self.at.scheme, self.at.bucket, f"{self.at.key}/{name}").key
