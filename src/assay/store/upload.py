"""Files -> objects, in parallel parts; what is already there is not sent again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from assay.store.checksums import (
    Checksum,
    Span,
    combine,
    digest_of,
    in_threads,
    of_file,
    part_size,
    spans,
)
from assay.store.s3 import Location, explained

Advance = Callable[[int], None]


def ignore(count: int) -> None:
    """Take no notice of `count` more bytes."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication did: `files` and `bytes` of the artifact, and how many bytes of them had
    to be `sent`."""

    files: int
    bytes: int
    sent: int


class Checksums(NamedTuple):
    """What is known of a file that was sent: the sha256 and the crc64nvme of its parts."""

    sha256: str
    crc64nvme: str
    part_size: int

    @property
    def checksum(self) -> Checksum:
        """What the file is."""
        return Checksum("sha256", self.sha256, self.part_size)

    @property
    def guard(self) -> Checksum:
        """What guards it on its way."""
        return Checksum("crc64nvme", self.crc64nvme, self.part_size)


class Sent(NamedTuple):
    """What is known of the object, and how many bytes were sent for it."""

    sums: Checksums
    size: int


def upload(s3: Any, path: Path, at: Location, advance: Advance) -> Sent:
    """Make the object `at` equal to the file `path`. It appears whole or not at all, and an
    upload that was cut off goes on where it stopped. Raises StoreError."""
    size = path.stat().st_size
    with explained(at):
        there = _same_object(s3, path, at, size)
        if there:
            advance(size)
            return Sent(there, 0)
        if part_size(size):
            return _send_parts(s3, path, at, size, advance)
        return _send_whole(s3, path, at, advance)


def _same_object(s3: Any, path: Path, at: Location, size: int) -> Checksums | None:
    """What is known of the object if it is what the file is, else None."""
    headers = head(s3, at)
    if not headers or headers["ContentLength"] != size:
        return None
    part = part_size(size)
    sha256 = of_file(path, "sha256", part).value
    if "ChecksumSHA256" in headers:
        same = headers["ChecksumSHA256"] == sha256
    else:
        same = headers["ETag"].strip('"') == of_file(path, "md5", part).value
    return Checksums(sha256, of_file(path, "crc64nvme", part).value, part) if same else None


def head(s3: Any, at: Location) -> dict[str, Any] | None:
    """Return what the store says of an object, or None where there is none."""
    from botocore.exceptions import ClientError

    try:
        headers = s3.head_object(Bucket=at.bucket, Key=at.key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        # The answer to HEAD has no body, so only the answer to GET says why.
        s3.get_object(Bucket=at.bucket, Key=at.key, Range="bytes=0-0")
        raise
    return dict(headers)


def _send_whole(s3: Any, path: Path, at: Location, advance: Advance) -> Sent:
    data = path.read_bytes()
    sha256, crc64nvme = digest_of("sha256", data), digest_of("crc64nvme", data)
    sums = Checksums(combine("sha256", [sha256], 0), combine("crc64nvme", [crc64nvme], 0), 0)
    s3.put_object(Bucket=at.bucket, Key=at.key, Body=data, ChecksumSHA256=sums.sha256)
    advance(len(data))
    return Sent(sums, len(data))


class _Part(NamedTuple):
    sha256: bytes
    crc64nvme: bytes
    named: dict[str, Any]
    sent: int


def _send_parts(s3: Any, path: Path, at: Location, size: int, advance: Advance) -> Sent:
    part = part_size(size)
    upload_id, held = _resumable(s3, at)
    target = {"Bucket": at.bucket, "Key": at.key, "UploadId": upload_id}

    def send(span: Span) -> _Part:
        data = _read(path, span)
        digest, guard = digest_of("sha256", data), digest_of("crc64nvme", data)
        checksum, number = base64.b64encode(digest).decode(), span.number
        arrived, sent = held.get(number), 0
        if not arrived or not _same_part(arrived, data, checksum):
            arrived = s3.upload_part(
                **target, PartNumber=number, Body=data, ChecksumSHA256=checksum
            )
            sent = len(data)
        advance(len(data))
        return _Part(digest, guard, _named(number, arrived, checksum), sent)

    parts = in_threads(send, spans(size, part))
    _join(s3, path, at, upload_id, [part_sent.named for part_sent in parts])
    sha256 = combine("sha256", [part_sent.sha256 for part_sent in parts], part)
    crc64nvme = combine("crc64nvme", [part_sent.crc64nvme for part_sent in parts], part)
    return Sent(Checksums(sha256, crc64nvme, part), sum(part_sent.sent for part_sent in parts))


def _join(s3: Any, path: Path, at: Location, upload_id: str, parts: list[dict[str, Any]]) -> None:
    """Make the parts one object. Where the store had done so and its answer was lost, another try
    finds no such upload."""
    from botocore.exceptions import ClientError

    target = {"Bucket": at.bucket, "Key": at.key, "UploadId": upload_id}
    try:
        s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
    except ClientError as error:
        lost = error.response.get("Error", {}).get("Code") == "NoSuchUpload"
        if not (lost and _same_object(s3, path, at, path.stat().st_size)):
            raise


def _read(path: Path, span: Span) -> bytes:
    with path.open("rb") as file:
        file.seek(span.start)
        return file.read(span.size)


def _resumable(s3: Any, at: Location) -> tuple[str, dict[int, dict[str, Any]]]:
    """The upload of this object that was begun last, with the parts that arrived; or a new one."""
    listed = s3.list_multipart_uploads(Bucket=at.bucket, Prefix=at.key).get("Uploads", [])
    begun = [entry for entry in listed if entry["Key"] == at.key and _is_ours(entry)]
    if begun:
        upload_id = max(begun, key=lambda entry: entry["Initiated"])["UploadId"]
        pages = s3.get_paginator("list_parts").paginate(
            Bucket=at.bucket, Key=at.key, UploadId=upload_id
        )
        parts = [part for page in pages for part in page.get("Parts", [])]
        return upload_id, {part["PartNumber"]: part for part in parts}
    made = s3.create_multipart_upload(Bucket=at.bucket, Key=at.key, ChecksumAlgorithm="SHA256")
    return made["UploadId"], {}


def _is_ours(upload: dict[str, Any]) -> bool:
    """Whether parts with our checksum can be added; not every store says with which it began."""
    return bool(upload.get("ChecksumAlgorithm", "SHA256") == "SHA256")


def _same_part(part: dict[str, Any], data: bytes, checksum: str) -> bool:
    if part["Size"] != len(data):
        return False
    if "ChecksumSHA256" in part:
        return bool(part["ChecksumSHA256"] == checksum)
    return bool(part["ETag"].strip('"') == digest_of("md5", data).hex())


def _named(number: int, part: dict[str, Any], checksum: str) -> dict[str, Any]:
    """A part as the request that joins them wants it."""
    checksums = {"ChecksumSHA256": checksum} if "ChecksumSHA256" in part else {}
    return {"PartNumber": number, "ETag": part["ETag"], **checksums}
