"""The client of an S3 store, and what its errors mean to a user.

The address and credentials come from the environment, by the names that every S3 tool reads:
AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL), AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN and AWS_CA_BUNDLE.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from assay.errors import AssayError, MissingExtraError, StoreError, StoreUnavailableError
from assay.settings import has_query, redacted
from assay.store import outage
from assay.store.checksums import THREADS
from assay.text import one_line

SCHEMES = ("s3", "minio")

_ADDRESS = "AWS_ENDPOINT_URL_S3"
_WRITE = "Write s3://BUCKET/KEY, without . and .."
_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REMEDIES = {
    "400": f"Check {_ADDRESS}: whether it is http:// or https://, and its port",
    "AccessDenied": "Check what the credentials may do with this bucket",
    "AuthorizationHeaderMalformed": "Set AWS_REGION to the store's region",
    "EntityTooLarge": "Use a store that takes larger objects",
    "ExpiredToken": "Get new credentials: AWS_SESSION_TOKEN is past its time",
    "InvalidAccessKeyId": "Check AWS_ACCESS_KEY_ID",
    "InvalidBucketName": "Correct the bucket's name",
    "InvalidToken": "Check AWS_SESSION_TOKEN",
    "InvalidTokenId": "Check AWS_SESSION_TOKEN, or unset it",
    "NoSuchBucket": "Check the bucket's name and make it if it is not there",
    "PreconditionFailed": "It was replaced while it was read: try again",
    "RequestTimeTooSkewed": "Set this machine's clock: it differs from the store's",
    "SignatureDoesNotMatch": "Check AWS_SECRET_ACCESS_KEY",
    "XMinioStorageFull": "Make room in the store",
    "InsufficientStorage": "Make room in the store",
    "QuotaExceeded": "Raise the bucket's quota, or make room in it",
    "XMinioAdminBucketQuotaExceeded": "Raise the bucket's quota, or make room in it",
}
_READS = 4


class Location(NamedTuple):
    """Where something lies in a store; `key` has no slash at its ends."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def locate(uri: str) -> Location:
    """Return the parts of an s3:// or minio:// `uri`. Raises StoreError."""
    try:
        parts = urlsplit(uri, allow_fragments=False)
    except ValueError:  # a bracket that it takes for an IPv6 address
        raise StoreError(f"{uri!r} names no object", _WRITE) from None
    key = uri.removeprefix(f"{parts.scheme}://{parts.netloc}").strip("/")
    if "@" in parts.netloc:
        raise StoreError("a store's URI holds a user name or password", f"Leave it out. {_KEYS}")
    if not parts.netloc or not key or any(part in (".", "..") for part in key.split("/")):
        raise StoreError(f"{uri!r} names no object", _WRITE)
    return Location(parts.scheme, parts.netloc, key)


def address() -> str:
    """Return the address of the store that is in use, "" for AWS."""
    return os.environ.get(_ADDRESS) or os.environ.get("AWS_ENDPOINT_URL") or ""


def client(scheme: str) -> Any:
    """Return a boto3 client for what the environment says, safe to share among threads. Raises
    StoreError and MissingExtraError."""
    if scheme == "minio" and not address():
        raise StoreError(f"{_ADDRESS} is not set", "Set it to MinIO's address: https://HOST:PORT")
    if "@" in address() or has_query(address()):
        raise StoreError(f"{_ADDRESS} holds more than an address", f"Leave it out. {_KEYS}")
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle and not Path(bundle).is_file():
        raise StoreError(f"AWS_CA_BUNDLE is {bundle}, which is no file", "Name the CA's PEM file")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    variables = tuple(
        value for name, value in sorted(os.environ.items()) if name.startswith("AWS_")
    )
    return _client(address(), region, variables)


@lru_cache(maxsize=4)
def _client(address: str, region: str, _variables: tuple[str, ...]) -> Any:
    """Making a client takes a tenth of a second, so it is kept while the environment is."""
    try:
        import awscrt  # noqa: F401 - for the checksums
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError("boto3", "store") from None
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=2 * THREADS,
        retries={"mode": "standard", "total_max_attempts": 5},
        # Parts carry a sha256 of our own; signing them would only hash them once more.
        s3={"payload_signing_enabled": False, **({"addressing_style": "path"} if address else {})},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with explained(address or "S3"):
        made = boto3.session.Session().client(
            "s3", endpoint_url=address or None, region_name=region, config=config
        )
    made.meta.events.register("needs-retry.s3", outage.watch(address).needs_retry)
    return made


def renew() -> None:
    """Have the next client read the credentials anew, from a file that may have changed."""
    _client.cache_clear()


def read(s3: Any, **request: Any) -> bytes:
    """Return the content of a small object; a connection that breaks is tried again, and the new
    request waits for the store. Raises what boto3 raises."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from urllib3.exceptions import HTTPError

    for number in range(_READS):
        try:
            content: bytes = s3.get_object(**request)["Body"].read()
            return content
        except (HTTPClientError, IncompleteReadError, HTTPError):
            if number == _READS - 1:
                raise
    raise AssertionError  # the last try has returned or raised


@contextmanager
def explained(where: object) -> Iterator[None]:
    """Turn what boto3 raises into a StoreError about `where`, with a remedy, or, for a store that
    has answered before and was waited for, into a StoreUnavailableError."""
    from botocore import exceptions as errors
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except errors.ClientError as error:
        raise _refused(where, error.response) from None
    except (errors.NoCredentialsError, errors.PartialCredentialsError):
        raise StoreError(f"{where}: there are no credentials", _KEYS) from None
    except (errors.CredentialRetrievalError, errors.MetadataRetrievalError) as error:
        unsigned = StoreError(f"{where}: the credentials cannot be renewed ({_last(error)})", _KEYS)
        raise _away(unsigned) from None
    except errors.SSLError as error:
        distrusted = StoreError(
            f"{where}: the store's certificate is not trusted ({_last(error)})",
            "Set AWS_CA_BUNDLE to its CA's file, or correct http:// or https:// in the address",
        )
        # a certificate that was trusted a while ago is not the user's to mend
        raise (_away(distrusted) if outage.watch(address()).answered else distrusted) from None
    except (
        errors.HTTPClientError,
        errors.ConnectionError,
        errors.IncompleteReadError,
        HTTPError,
        ResponseParserError,
    ) as error:
        raise _away(
            StoreError(
                f"{where}: the store does not answer ({_last(error)})",
                f"Check {_ADDRESS} and the network, then try again: it resumes",
            )
        ) from None
    except (errors.BotoCoreError, ValueError) as error:
        raise StoreError(
            f"{where}: {redacted(str(error))}", f"Check {_ADDRESS} and the URI"
        ) from None


def _refused(where: object, response: dict[str, Any]) -> AssayError:
    error = response.get("Error", {})
    code = error.get("Code", "")
    remedy = _REMEDIES.get(code, "Try again: it resumes where it stopped")
    told = one_line(redacted(f"{code}: {error.get('Message', '')}"))
    refusal = StoreError(f"{where}: the store says {told}", remedy)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return _away(refusal) if outage.is_passing(status, response) else refusal


def _away(error: StoreError) -> AssayError:
    """Return the error of a store that does not do its work: its own fault where it is known."""
    trusted = outage.watch(address()).trusted
    return StoreUnavailableError(*error.args) if trusted else error


def _last(error: Exception) -> str:
    return redacted(str(error)).split(": ")[-1][:200]
