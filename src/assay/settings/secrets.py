"""What may be a secret, by its name or its form, and texts without it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# of a setting, "-" and the capitals within a word taken for "_"
_SECRET = re.compile(
    r"(?:^|_)(?:key|credentials?|authorization|auth|bearer|pwd|webhook_url)$|"
    r"(?:api|access|auth|private|secret|subscription)_?keys?$|"
    r"(?:token|passwords?|passw[o0]?r?d|passphrase|secrets?)$|(?:api|access|auth)_?tokens$",
    re.IGNORECASE,
)
_WITHIN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")
# in a text: what stands before @ and behind = in a URL, and the keys that are known by their form
_HIDDEN = re.compile(
    r"(?<=://)[^/\s'\"]+(?=@)|(?<=[?&])[^\s&'\"]+|\b(?:sk|pk|rk|hf|gsk|gh[a-z]|glpat|xai|xox[a-z])"
    r"[-_][\w.-]+|\b(?:AKIA|ASIA|AIza|eyJ)[\w.-]{8,}"
)
_KEY = re.compile(
    r"sk[-_][\w.-]{8,}|(?:gsk|hf|gh[a-z]|glpat|nvapi|pk|rk|xai|xox[a-z])[-_][A-Za-z0-9]{16,}[\w.-]*|"
    r"(?:AKIA|ASIA|AIza)[\w-]{12,}|eyJ[\w-]{8,}\.[\w.-]+"
)
# in a text: what is sent as a secret, and what follows the name of one, where it is no mere word
_LIKELY = r"(?=[^\s'\",;&}]*(?:\d|[a-z][A-Z]))(?!\d+\b)[^\s'\",;&}]{6,}"
_NAME = (
    r"(?i:(?:api|access)[_-]?key|token|passw(?:or)?d|secret|authorization)['\"]?\s*[:=]\s*['\"]?"
)
_SENT = re.compile(rf"((?i:\b(?:bearer|basic)\s+)|{_NAME}){_LIKELY}")
# of a setting's value: whatever follows one
_STATED = re.compile(rf"({_NAME})\S.*", re.DOTALL)
_LONGEST = 200


def has_query(url: str) -> bool:
    """Whether a URL goes on behind its path, where a key may stand."""
    return "?" in url or "#" in url


def is_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return bool(_KEY.fullmatch(text.strip()))


def is_likely_key(name: str) -> bool:
    """Whether a text that could be a variable's name is rather a key, such as 32 hex digits."""
    mixed = any(map(str.islower, name)) and any(map(str.isupper, name))
    return "_" not in name and any(map(str.isdigit, name)) and (mixed or len(name) >= 20)


def secret_in(url: str) -> str:
    """Return what a URL holds beside an address that may be a secret, "" for nothing."""
    if "@" in url:
        return "a user name or password"
    if has_query(url):
        return "a query"
    if ";" in url:
        return "parameters"
    return "what looks like a key" if any(map(is_key, url.split("/"))) else ""


def shown(value: object, name: str = "") -> str:
    """Return the value of the setting `name` for a message: what may be a secret as ***."""
    return repr(_without_secrets(value, name))[:_LONGEST]


def redacted(text: str) -> str:
    """Return `text` with what looks like a secret as ***."""
    return _HIDDEN.sub("***", _SENT.sub(r"\1***", text))


def _without_secrets(value: object, name: str) -> object:
    if is_secret(name.removesuffix("_env")) and value is not None:
        return "***"
    if isinstance(value, Mapping):
        return {key: _without_secrets(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner, name) for inner in value]
    return _STATED.sub(r"\1***", redacted(value)) if isinstance(value, str) else value


def is_secret(name: str) -> bool:
    """Whether a setting is a secret by its name."""
    return bool(_SECRET.search(_WITHIN.sub("_", name)))
