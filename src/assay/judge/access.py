"""How a judge is reached: its address, its key and its headers. None of their values is ever part
of a setting, and nothing that may be a secret is part of an address."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from assay import settings as checks
from assay.errors import JudgeError
from assay.judge.quoting import hider
from assay.judge.settings import JudgeSettings, Seat

SHORTEST_SECRET = 6
# what a cluster's pods have of the judge's Secret: its entries, and the variables of their values
JUDGE_VARIABLES: Mapping[str, str] = {
    "api-key": JudgeSettings.api_key_env,
    "header-1": "ASSAY_JUDGE_HEADER_1",
    "header-2": "ASSAY_JUDGE_HEADER_2",
}
# and what those have of it that ask a model under test
MODEL_VARIABLES: Mapping[str, str] = {
    "model-key": "ASSAY_MODEL_API_KEY",
    "baseline-key": "ASSAY_BASELINE_API_KEY",
}
_ENTRIES = {**JUDGE_VARIABLES, **MODEL_VARIABLES}
SECRET = "ASSAY_JUDGE_SECRET"  # noqa: S105  the variable of the name of a cluster's Secret
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_QUERY = re.compile(r"(?:^|[-_])(?:sig|signature|sas|auth|code|pass)$|key|token", re.I)
_ASKED = {
    "model": "judge.model",
    "messages": "judge.rubric",
    "temperature": "judge.temperature",
    "max_tokens": "judge.max_tokens",
    "max_completion_tokens": "judge.max_tokens",
    "response_format": "judge.json_schema",
    "stream": "judge.stream",
    "n": "judge.repeats",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """The base URL of a judge, its key ("" for none) and its further headers, from the environment;
    `secrets` are those values that no message may hold."""

    url: str
    key: str
    headers: Mapping[str, str]
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, settings: JudgeSettings) -> Access:
        """Return the access that settings name. Raises JudgeError where something of it is missing
        or cannot be sent."""
        key = api_key(settings)
        headers = {
            name: _value_of(variable, f"The value of the header {name}", "judge.headers")
            for name, variable in settings.headers.items()
        }
        values = {key, *headers.values(), *(value.rpartition(" ")[2] for value in headers.values())}
        # one as short as the "none" and "EMPTY" that local servers are given is no secret
        secrets = sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=len)
        return cls(url=base_url(settings), key=key, headers=headers, secrets=tuple(secrets[::-1]))

    def without(self, content: bytes) -> bytes:
        """Return what the endpoint said without the secrets, which some endpoints quote."""
        return hider(self.secrets)(content)

    def bare(self, text: str) -> str:
        """Return a text without the secrets: a body may hold them in pieces, or escaped."""
        return self.without(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def hide(self, text: str) -> str:
        """Return what an error says without the secrets, and without what looks like one."""
        return checks.redacted(self.bare(text))


def check_access(settings: JudgeSettings) -> None:
    """Raise JudgeError where the endpoint of a judge or of a seat of its panel is no base URL or
    holds what may be a secret, where what names a variable cannot be its name, or where a secret
    stands in a setting."""
    base_url(settings)
    _check_parts(settings, "judge")
    for number, seat in enumerate(settings.panel):
        where = f"judge.panel.{number}"
        if seat.endpoint:
            _check_url(seat.endpoint, f"{where}.endpoint")
        _check_parts(seat, where)


def _check_parts(judge: JudgeSettings | Seat, where: str) -> None:
    if checks.is_key(judge.model):
        raise JudgeError(
            f"{where}.model looks like a key, which would be stored and printed",
            "Name the model there, and pass the key by the environment variable that api_key_env "
            "names",
        )
    _check_variable(judge.api_key_env or "", f"{where}.api_key_env")
    for name, variable in (judge.headers or {}).items():
        if not _HEADER.fullmatch(name):
            raise JudgeError(
                f"{where}.headers has a name that is none of a header",
                "Write them as NAME: VARIABLE",
            )
        _check_variable(variable or "-", f"{where}.headers.{name}")
    _check_query(judge.query or {}, f"{where}.query")
    _check_body(judge.extra_body or {}, f"{where}.extra_body")


def _check_query(query: Mapping[str, str], where: str) -> None:
    for name, value in query.items():
        if _SECRET_QUERY.search(name) or checks.is_key(value):
            raise JudgeError(
                f"{where}.{checks.redacted(name)} looks like a secret, which would be stored and "
                "printed",
                "Pass it by the header that the endpoint takes instead: judge.headers",
            )


def _check_body(body: Mapping[str, Any], where: str) -> None:
    checks.check_secrets(body, where)
    for name in body:
        if name in _ASKED:
            raise JudgeError(f"{where}.{name} has a setting of its own", f"Set {_ASKED[name]}")


def base_url(settings: JudgeSettings) -> str:
    """Return the endpoint without a trailing slash. Raises JudgeError where it is no base URL."""
    _check_url(settings.endpoint, "judge.endpoint")
    return settings.endpoint.rstrip("/")


def place(endpoint: str) -> tuple[str, str, str]:
    """Return what makes a checked URL one endpoint: its scheme, host with port, and path."""
    parts = urlsplit(endpoint)
    return parts.scheme, parts.netloc.lower(), parts.path.rstrip("/")


def _check_url(url: str, name: str) -> None:
    if secret := checks.secret_in(url):
        raise JudgeError(
            f"{name} holds {secret}, which would be stored and printed",
            "Give the base URL alone, and pass the key by the environment variable that "
            "api_key_env names; judge.query takes what is no secret, such as api-version",
        )
    parts = _parts(url)
    if not parts or parts.scheme not in ("http", "https") or not parts.netloc:
        raise JudgeError(
            f"{name} = {url!r} is no URL", "Give the base URL, such as https://judge.example/v1"
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise JudgeError(
            f"{name} = {url!r} is the whole path",
            "Give the base URL alone: leave /chat/completions out",
        )


def _parts(url: str) -> SplitResult | None:
    if any(mark.isspace() or not mark.isprintable() for mark in url):
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        return None
    return parts


def _check_variable(variable: str, name: str) -> None:
    if variable and (not _VARIABLE.fullmatch(variable) or checks.is_likely_key(variable)):
        raise JudgeError(
            f"{name} is not the name of an environment variable",
            "Name the variable that holds the key, never the key itself",
        )


def api_key(settings: JudgeSettings) -> str:
    """Return the key from the environment, or "" where the endpoint needs none.

    Raises JudgeError, which names the variable, where it is not set or can be no key."""
    if not settings.api_key_env:
        return ""
    return _value_of(settings.api_key_env, "The judge's key", "judge.api_key_env")


def _value_of(variable: str, what: str, setting: str) -> str:
    _check_variable(variable, setting)
    value = os.environ.get(variable, "").strip()
    if not value:
        instruction = _supply(variable)
        raise JudgeError(
            f"{what} is missing: environment variable {variable} is not set",
            f"{instruction}, or set judge.api_key_env to '' for an endpoint that needs none",
        )
    for place, mark in enumerate(value, 1):
        if not mark.isascii() or not mark.isprintable():
            named = unicodedata.name(mark, f"U+{ord(mark):04X}")
            raise JudgeError(
                f"{what} in {variable} cannot be sent: character {place} is {named}",
                f"Set {place_of(variable)} to the key alone, on one line and without quotation "
                "marks",
            )
    return value


def place_of(variable: str) -> str:
    """Return where the value of an environment variable is to be put: in a pod of a pipeline it
    comes from an entry of the run's Secret."""
    secret = _secret()
    entries = [entry for entry, name in _ENTRIES.items() if name == variable]
    if not secret or not entries:
        return variable
    name, namespace = secret
    return f"the entry {entries[0]} of the Secret {name} in namespace {namespace}"


def _supply(variable: str) -> str:
    """Return how to set the value of an environment variable."""
    secret = _secret()
    if not secret:
        return f"export {variable}=..."
    name, namespace = secret
    if variable not in _ENTRIES.values():
        known = ", ".join(JUDGE_VARIABLES.values())
        return f"A pipeline gives its judge {known}, from the Secret {name}: name one of them"
    (entry,) = (entry for entry, held in _ENTRIES.items() if held == variable)
    made = f"kubectl -n {namespace} create secret generic {name} --from-file={entry}=FILE"
    return f"Set {place_of(variable)} ({made})"


def _secret() -> tuple[str, str] | None:
    """Return the name and the namespace of the Secret that this pod's judge is reached with, None
    where this process is in no pod of a pipeline."""
    name = os.environ.get(SECRET, "")
    if not name or not NAMESPACE.is_file():
        return None
    return name, NAMESPACE.read_text().strip()
