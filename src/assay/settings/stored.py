"""What no setting may hold, as it is stored with the run: names and URLs of secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from assay.errors import SettingsError
from assay.settings.names import check_names
from assay.settings.secrets import is_secret

_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*@", re.IGNORECASE)
# of a query: what signs a URL, or is a key by its name
_SIGNED = re.compile(
    r"[?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|"
    r"(?:[\w-]*[-_])?(?:api[-_]?key|key|token|password|secret|auth))=[^&\s]",
    re.IGNORECASE,
)


def check_secrets(value: object, where: str) -> None:
    """Raise SettingsError for a name that looks like a secret's, anywhere in `value`, also in JSON
    that is text: what it holds would be stored with the run."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    for name, inner in _items(value):
        if isinstance(value, Mapping) and is_secret(name):
            check_names({name: inner}, (), where)
        check_secrets(inner, f"{where}.{name}")


def check_urls(value: object, where: str) -> None:
    """Raise SettingsError for a URL with a user name or password, or with a signature or a key in
    its query, anywhere in `value`: it would be stored with the run, and printed."""
    if isinstance(value, str) and _PASSWORD.match(value.strip()):
        raise SettingsError(
            f"{where} holds a user name or password",
            "Leave it out and pass it by environment variable or Kubernetes Secret",
        )
    if isinstance(value, str) and "://" in value and _SIGNED.search(value):
        raise SettingsError(
            f"{where} holds a signature or a key behind its path",
            "Name the file by s3:// or minio://, or copy it here; credentials come by environment "
            "variable or Kubernetes Secret",
        )
    for name, inner in _items(value):
        check_urls(inner, f"{where}.{name}" if where else name)


def _items(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(name), inner) for name, inner in value.items()]
    if isinstance(value, list | tuple):
        return [(str(number), inner) for number, inner in enumerate(value)]
    return ()
