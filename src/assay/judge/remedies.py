"""What to do about a judge that gives no verdict."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay.judge.access import place_of
from assay.judge.causes import LIMITED, NOT_FOUND
from assay.judge.outcome import NOTHING_LEFT
from assay.judge.settings import JudgeSettings
from assay.text import one_line

LONGEST_NAME = 80
_REMEDIES = {
    "auth": "Set {key} to a key that this endpoint accepts",
    "no_key": "Name the environment variable of a key for this endpoint in its api_key_env, or in "
    "judge.headers where it takes the key in a header of its own",
    "rate_limited": "Wait, or ask for a higher limit; then try again",
    "denied": "Have the key of {key} allowed to use this model, or choose another judge.model",
    "proxy": "A proxy in between wants to know who asks: set HTTPS_PROXY or HTTP_PROXY to its "
    "address with a user and password, or the endpoint's host in NO_PROXY to go without it",
    "no_balance": "Pay in to the account of this key, or name another judge",
    "truncated": "Raise judge.max_tokens (now {max_tokens})",
    "context_overflow": "Use a judge with a longer context, or a shorter rubric",
    "content_filter": "Look at the sample, or use a judge whose filter lets it pass",
    "timeout": "Check that the endpoint is up, or raise judge.timeout_s (now {timeout_s:g})",
    "server_error": "Check that judge.endpoint is the base URL of an OpenAI-compatible server",
    "certificate": "Name the PEM file of the authority that signed its certificate in "
    "judge.ca_file, or in the environment variable SSL_CERT_FILE",
    "empty": "Raise judge.max_tokens (now {max_tokens}), or switch thinking off in "
    "judge.extra_body, such as chat_template_kwargs: {{enable_thinking: false}}",
    "too_many": "Lower judge.max_tokens (now {max_tokens})",
    "failed": "The endpoint itself has failed: see its log or status page, then try again",
    "https": "Write judge.endpoint with https://",
    "place": "Ask from a place that the endpoint serves, or name another judge",
    "elsewhere": "Leave tools out of judge.extra_body, or choose another judge.model",
    "parse_error": "Choose another judge.model, or have the prompt alone ask for the form: "
    "judge.json_schema: false",
    "parameters": "Leave judge.extra_body.provider.require_parameters out, or choose another "
    "judge.model",
    "extra_body": "Correct judge.extra_body (it has {extra})",
    NOT_FOUND: "Check judge.model, and that judge.endpoint is the base URL, for most servers up to "
    "and with /v1",
    "model": "Set judge.model to one it serves, such as {names}",
    "version": "Set judge.query: {{api-version: ...}} to the version of the API that you use",
    "usual": "Choose another judge.model, or correct judge's settings",
}
_CERTIFICATE = re.compile(r"certificate", re.IGNORECASE)
_MOST = re.compile(r"max_(?:completion_|output_)?tokens|maxOutputTokens", re.IGNORECASE)
_TOO_FEW = re.compile(r"below (?:the )?min|>=|greater than|at least|higher max", re.IGNORECASE)
_HTTPS = re.compile(r"HTTPS (?:port|server)", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:location|region|country|territory).{0,30} not (?:supported|available|allowed)|"
    r"not (?:supported|available|allowed) (?:in|from) (?:your|this) (?:location|region|country)",
    re.IGNORECASE,
)
_THINKING = re.compile(r"think|reasoning|budget", re.IGNORECASE)
_PROXY = re.compile(r"HTTP 407: |\b407, |proxy (?:auth|server|error)", re.IGNORECASE)
_OF_MODEL = re.compile(r"\bmodels?\b|模型", re.IGNORECASE)
_ELSEWHERE = {301, 302, 303, 305, 307, 308, 405, 501}
_VERSION = re.compile(r"api[-_ ]version", re.IGNORECASE)


def remedy(settings: JudgeSettings, cause: str, detail: str, models: Sequence[str]) -> str:
    """Return what to do about a cause, given what was said, and the models that the endpoint is
    known to serve ([]: none)."""
    near = difflib.get_close_matches(settings.model, models, n=1) or models[:5]
    names = ", ".join(one_line(name)[:LONGEST_NAME] for name in near)
    chosen = _REMEDIES.get(_kind(settings, cause, detail, names), _REMEDIES["usual"])
    variables = [settings.api_key_env] if settings.api_key_env else [*settings.headers.values()]
    key = ", ".join(map(_named, variables))
    extra = ", ".join(_words_of(settings.extra_body))
    now = {"max_tokens": settings.max_tokens, "timeout_s": settings.timeout_s}
    return chosen.format(key=key, names=names, extra=extra, **now)


def _named(variable: str) -> str:
    place = place_of(variable)
    return f"the environment variable {variable}" if place == variable else place


def _kind(settings: JudgeSettings, cause: str, detail: str, names: str) -> str:
    if _VERSION.search(detail) and cause in (NOT_FOUND, "rejected") and not _of_model(detail):
        return "version"
    if _PROXY.search(detail):
        return "proxy"
    if cause in ("auth", "rejected", NOT_FOUND) and _PLACE.search(detail):
        return "place"
    if cause == "empty" and ("tool_calls" in detail or "function_call" in detail):
        return "elsewhere"
    if cause == NOT_FOUND and "requested parameters" in detail:
        return "parameters"
    if cause == NOT_FOUND and names and settings.model not in names.split(", "):
        return "model"
    if cause == "auth" and not settings.api_key_env and not settings.headers:
        return "no_key"
    if cause == "auth" and _OF_MODEL.search(detail):
        return "denied"
    if cause == LIMITED and NOTHING_LEFT in detail:
        return "no_balance"
    if _CERTIFICATE.search(detail) and "no connection" in detail:
        return "certificate"
    if cause == "server_error" and re.search(r"HTTP 5\d\d: ", detail):
        return "failed"
    return _kind_of_rejection(settings, detail) if cause == "rejected" else cause


def _kind_of_rejection(settings: JudgeSettings, detail: str) -> str:
    if _HTTPS.search(detail):
        return "https"
    if _status(detail) in _ELSEWHERE:
        return "server_error"
    if _MOST.search(detail):
        return "truncated" if _TOO_FEW.search(detail) else "too_many"
    words = _words_of(settings.extra_body)
    if any(word in detail for word in words) or (words and _THINKING.search(detail)):
        return "extra_body"
    return "usual"


def _words_of(body: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters in an extra_body, those within them too."""
    inner = (_words_of(value) for value in body.values() if isinstance(value, Mapping))
    return [*body, *itertools.chain.from_iterable(inner)]


def _of_model(detail: str) -> bool:
    """Whether it is the model that is not found, of a version or not."""
    return bool(re.search(r"models?/|model\b.{0,80}not found", detail, re.IGNORECASE))


def _status(detail: str) -> int:
    number = re.search(r"HTTP (\d{3})", detail)
    return int(number[1]) if number else 429
