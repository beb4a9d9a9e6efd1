"""What the judge is, how it is asked, and how hard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, MinLen

from assay.errors import JudgeError
from assay.judge.cost import Price


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A further judge: its model, and where it differs from the first one, its endpoint and the
    environment variable of its key."""

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
    are judged again, to see whether the judge itself has moved; `pairwise` also asks, in both
    orders, which of the two sides' answers is better; `panel` lists further judges for a second
    opinion. `max_samples` judges the first so
    many predictions (0: all).

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
    pairwise: bool = False
    panel: tuple[Seat, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    max_cost: Annotated[float, Ge(0)] = 0.0
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.5


def base_url(settings: JudgeSettings) -> str:
    """Return the endpoint without a trailing slash. Raises JudgeError where it is no base URL."""
    url = settings.endpoint.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise JudgeError(
            f"judge.endpoint = {settings.endpoint!r} is no URL",
            "Give the base URL, such as https://judge.example/v1",
        )
    if parts.username or parts.password:
        raise JudgeError(
            "judge.endpoint holds a user name or password",
            f"Remove it and pass the key by the environment variable {settings.api_key_env}",
        )
    if parts.path.endswith("/chat/completions"):
        raise JudgeError(
            f"judge.endpoint = {settings.endpoint!r} is the whole path",
            "Give the base URL alone: leave /chat/completions out",
        )
    return url


def api_key(settings: JudgeSettings) -> str:
    """Return the key from the environment, or "" where the endpoint needs none.

    Raises JudgeError, which names the variable, where it is not set."""
    if not settings.api_key_env:
        return ""
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise JudgeError(
            f"The judge's key is missing: environment variable {settings.api_key_env} is not set",
            f"export {settings.api_key_env}=..., or set judge.api_key_env to '' for an endpoint "
            "that needs none",
        )
    return key
