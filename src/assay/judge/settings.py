"""What the judge is, how it is asked, and how hard."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from annotated_types import Ge, Gt, Le, MinLen

from assay.errors import JudgeError
from assay.judge.cost import Price
from assay.settings import has_query

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A further judge: its model, and where it differs from the first one, its endpoint and the
    environment variable of its key. The first judge's key goes to no other server: at another
    one a seat that names no variable is asked without a key."""

    model: Annotated[str, MinLen(1)]
    endpoint: str = ""
    api_key_env: str | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """One judge: any OpenAI-compatible endpoint.

    `endpoint` is the base URL, up to and with /v1. The key is read from the environment variable
    `api_key_env`; "" says that the endpoint needs none. `rubric` is a built-in name (default-en,
    default-zh) or a YAML file. `json_schema` off never asks the endpoint to enforce the form; on,
    an endpoint that refuses it is asked by prompt alone. `repeats` asks for each verdict so many
    times and takes the medians; `one_call_each` asks for each dimension by itself. `self_test`
    also has five answers judged whose worth is known; `anchors` is a file of frozen answers that
    are judged again, to see whether the judge itself has moved; `calibration` is the
    calibration.json of an earlier run, which says how far this judge agrees with people;
    `flip_sample` has so many answers
    of each side, and pairs, judged twice, to see how often the same gets another score; `pairwise`
    also asks, in both orders, which of the two sides' answers is better; `panel` lists further
    judges for a second opinion. `max_samples` judges the first so many predictions (0: all).

    `concurrency` is the most requests in flight; the two limits a minute (0: none) spread requests
    and tokens evenly. `timeout_s` is the deadline of one request; `retries` counts repeated
    requests after transient failures. `prices` is a table model -> price; `max_cost` (0: none)
    stops this run before it costs more, and the rest stays not_judged. The stage fails where more
    than the share `max_unscored` has no score.
    """

    endpoint: Annotated[str, MinLen(1)]
    model: Annotated[str, MinLen(1)]
    api_key_env: str = "ASSAY_JUDGE_API_KEY"
    temperature: Annotated[float, Ge(0), Le(2)] = 0.0
    max_tokens: Annotated[int, Ge(1)] = 512
    rubric: str = "default-en"
    json_schema: bool = True
    repeats: Annotated[int, Ge(1), Le(25)] = 1
    one_call_each: bool = False
    max_samples: Annotated[int, Ge(0)] = 0
    concurrency: Annotated[int, Ge(1), Le(1000)] = 16
    requests_per_minute: Annotated[int, Ge(0)] = 0
    tokens_per_minute: Annotated[int, Ge(0)] = 0
    timeout_s: Annotated[float, Gt(0)] = 120.0
    retries: Annotated[int, Ge(0), Le(20)] = 5
    self_test: bool = True
    anchors: str = ""
    calibration: str = ""
    flip_sample: Annotated[int, Ge(0)] = 20
    pairwise: bool = False
    panel: tuple[Seat, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    max_cost: Annotated[float, Ge(0)] = 0.0
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.5


def check_access(settings: JudgeSettings) -> None:
    """Raise JudgeError where the endpoint of a judge or of a seat of its panel is no base URL or
    holds what may be a secret, or where api_key_env cannot be the name of a variable."""
    base_url(settings)
    _check_variable(settings.api_key_env, "judge.api_key_env")
    for number, seat in enumerate(settings.panel):
        if seat.endpoint:
            _check_url(seat.endpoint, f"judge.panel.{number}.endpoint")
        _check_variable(seat.api_key_env or "", f"judge.panel.{number}.api_key_env")


def base_url(settings: JudgeSettings) -> str:
    """Return the endpoint without a trailing slash. Raises JudgeError where it is no base URL."""
    _check_url(settings.endpoint, "judge.endpoint")
    return settings.endpoint.rstrip("/")


def origin(endpoint: str) -> tuple[str, str]:
    """Return the server of a URL that was checked: its scheme, and its host with the port."""
    parts = urlsplit(endpoint)
    return parts.scheme, parts.netloc.lower()


def _check_url(url: str, name: str) -> None:
    secret = "a user name or password" if "@" in url else "a query" if has_query(url) else ""
    if secret:
        raise JudgeError(
            f"{name} holds {secret}, which would be stored and printed",
            "Give the base URL alone, and pass the key by the environment variable that "
            "api_key_env names",
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
    if variable and not _VARIABLE.fullmatch(variable):
        raise JudgeError(
            f"{name} is not the name of an environment variable",
            "Name the variable that holds the key, never the key itself",
        )


def api_key(settings: JudgeSettings) -> str:
    """Return the key from the environment, or "" where the endpoint needs none.

    Raises JudgeError, which names the variable, where it is not set or can be no key."""
    variable = settings.api_key_env
    if not variable:
        return ""
    _check_variable(variable, "judge.api_key_env")
    key = os.environ.get(variable, "").strip()
    if not key:
        raise JudgeError(
            f"The judge's key is missing: environment variable {variable} is not set",
            f"export {variable}=..., or set judge.api_key_env to '' for an endpoint that needs "
            "none",
        )
    for place, mark in enumerate(key, 1):
        if not mark.isascii() or not mark.isprintable():
            named = unicodedata.name(mark, f"U+{ord(mark):04X}")
            raise JudgeError(
                f"The judge's key in {variable} cannot be sent: character {place} is {named}",
                f"Set {variable} to the key alone, on one line and without quotation marks",
            )
    return key
