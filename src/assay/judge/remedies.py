"""What to do about a judge that gives no verdict."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from assay.judge.access import place_of
from assay.judge.causes import NOT_FOUND, no_balance
from assay.judge.refusal import Refusal
from assay.judge.settings import JudgeSettings
from assay.text import one_line

LONGEST_NAME = 80
_REMEDIES = {
    "auth": "Set {key} to a key that this endpoint accepts",
    "no_key": "Name the environment variable of a key for this endpoint in its api_key_env, or in "
    "judge.headers where it takes the key in a header of its own",
    "rate_limited": "Wait, or ask for a higher limit; then try again",
    "no_balance": "Pay in to the account of this key, or name another judge",
    "truncated": "Raise judge.max_tokens (now {max_tokens})",
    "context_overflow": "Use a judge with a longer context, or a shorter rubric",
    "content_filter": "Look at the sample, or use a judge whose filter lets it pass",
    "timeout": "Check that the endpoint is up, or raise judge.timeout_s",
    "server_error": "Check that judge.endpoint is the base URL of an OpenAI-compatible server",
    "certificate": "Name the PEM file of the authority that signed its certificate in "
    "judge.ca_file, or in the environment variable SSL_CERT_FILE",
    "empty": "Raise judge.max_tokens (now {max_tokens}), or switch thinking off in "
    "judge.extra_body, such as chat_template_kwargs: {{enable_thinking: false}}",
    "too_many": "Lower judge.max_tokens (now {max_tokens})",
    NOT_FOUND: "Check judge.model, and that judge.endpoint is the base URL, for most servers up to "
    "and with /v1",
    "model": "Set judge.model to one it serves, such as {names}",
    "version": "Set judge.query: {{api-version: ...}} to the version of the API that you use",
    "usual": "Choose another judge.model, or correct judge's settings",
}
_CERTIFICATE = re.compile(r"certificate", re.IGNORECASE)
_MOST = re.compile(r"max_(?:completion_|output_)?tokens|maxOutputTokens", re.IGNORECASE)
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
    return chosen.format(key=key, max_tokens=settings.max_tokens, names=names)


def _named(variable: str) -> str:
    place = place_of(variable)
    return f"the environment variable {variable}" if place == variable else place


def _kind(settings: JudgeSettings, cause: str, detail: str, names: str) -> str:
    if _VERSION.search(detail) and cause in (NOT_FOUND, "rejected"):
        return "version"
    if cause == NOT_FOUND and names:
        return "model"
    if cause == "auth" and not settings.api_key_env and not settings.headers:
        return "no_key"
    if cause == "rate_limited" and no_balance(Refusal(status=_status(detail), text=detail)):
        return "no_balance"
    if _CERTIFICATE.search(detail) and "no connection" in detail:
        return "certificate"
    if cause == "rejected" and _status(detail) in _ELSEWHERE:
        return "server_error"
    return "too_many" if cause == "rejected" and _MOST.search(detail) else cause


def _status(detail: str) -> int:
    number = re.search(r"HTTP (\d{3})", detail)
    return int(number[1]) if number else 429
