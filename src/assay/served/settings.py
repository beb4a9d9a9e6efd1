"""A model under test behind an endpoint: where it is, and how hard it may be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MinLen

from assay import settings
from assay.errors import SettingsError
from assay.judge import Price
from assay.judge.settings import WEEK_S


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """The model `name` of any OpenAI-compatible endpoint, in the place of a model's directory.

    `endpoint` is the base URL, up to and with /v1. The key is read from the environment variable
    `api_key_env`; "" says that the endpoint needs none. `headers`, `query`, `extra_body`, `stream`,
    `ca_file`, `concurrency`, both limits a minute, `timeout_s`, `retries`, `max_wait_s` and
    `outage_s` are as of a judge. `price` says what a million tokens cost. `repeat_sample` has so
    many samples answered twice, to see whether the same prompt gets the same answer.
    """

    endpoint: Annotated[str, MinLen(1)]
    name: Annotated[str, MinLen(1)]
    api_key_env: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    ca_file: str = ""
    concurrency: Annotated[int, Ge(1), Le(1000)] = 16
    requests_per_minute: Annotated[int, Ge(0)] = 0
    tokens_per_minute: Annotated[int, Ge(0)] = 0
    timeout_s: Annotated[float, Gt(0)] = 300.0
    retries: Annotated[int, Ge(0), Le(20)] = 5
    max_wait_s: Annotated[float, Ge(0), Le(WEEK_S)] = 600.0
    outage_s: Annotated[float, Ge(0), Le(WEEK_S)] = 1800.0
    price: Price | None = None
    repeat_sample: Annotated[int, Ge(0)] = 5

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused

    def __str__(self) -> str:
        """Return what to call it: a name alone is that of no one model."""
        return f"{self.name} at {self.endpoint.rstrip('/')}"


Named = str | ServedModel
"""A model as a configuration names it: a directory, URI or hub id, or one behind an endpoint."""


def read(value: object, where: str) -> Any:
    """Return a ServedModel for the mapping that says what it is, also in JSON that is text (as the
    parameter of a pipeline holds it), and any other value as it is. Raises SettingsError."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise SettingsError(f"{where} is no JSON: {error}", f"Correct {where}") from None
        settings.check_urls(value, where)
    if isinstance(value, ServedModel) or not isinstance(value, Mapping):
        return value
    return settings.build(ServedModel, settings.check_mapping(value, where), where)


def text(model: Named) -> str:
    """Return a model as one text, of which `read` makes the same model."""
    return model if isinstance(model, str) else json.dumps(asdict(model))


def served(*models: Named) -> list[ServedModel]:
    """Return those of the `models` that are behind an endpoint."""
    return [model for model in models if isinstance(model, ServedModel)]
