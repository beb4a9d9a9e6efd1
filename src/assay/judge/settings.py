"""What the judge is, how it is asked, and how hard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen

from assay.judge.cost import Price

WEEK_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A further judge: its model, and where it differs from the first one, its endpoint, the
    environment variable of its key, its headers, query and extra_body, and whether it is asked by
    batch. None of those of the first judge goes to another endpoint: there a seat that names no
    variable is asked without a key, and directly."""

    model: Annotated[str, MinLen(1)]
    endpoint: str = ""
    api_key_env: str | None = None
    headers: Mapping[str, str] | None = None
    query: Mapping[str, str] | None = None
    extra_body: Mapping[str, Any] | None = None
    batch: bool | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  a misspelt setting is refused


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """One judge: any OpenAI-compatible endpoint.

    `endpoint` is the base URL, up to and with /v1. The key is read from the environment variable
    `api_key_env`; "" says that the endpoint needs none. `headers` names further headers, each with
    the environment variable that holds its value; `query` and `extra_body` go with each request as
    they are, and hold no secret. `stream` has the replies streamed; `ca_file` is a PEM file of
    further authorities to trust. `temperature: none` leaves it to the endpoint.

    `rubric` is a built-in name (default-en, default-zh) or a YAML file. `json_schema` off never
    asks the endpoint to enforce the form; on, an endpoint that refuses it is asked for less, at
    last by prompt alone. `repeats` asks for each verdict so many times and takes the medians;
    `one_call_each` asks for each dimension by itself. `self_test` also has five answers judged
    whose worth is known; `anchors` is a file of frozen answers that are judged again, to see
    whether the judge itself has moved; `calibration` is the calibration.json of an earlier run,
    which says how far this judge agrees with people; `flip_sample` has so many answers of each
    side, and pairs, judged twice, to see how often the same gets another score; `pairwise` also
    asks, in both orders, which of the two sides' answers is better; `panel` lists further judges
    for a second opinion. `max_samples` judges the first so many predictions (0: all).

    `concurrency` is the most requests in flight; the two limits a minute (0: none) spread requests
    and tokens evenly. `timeout_s` is the deadline of one request; `retries` counts repeated
    requests after transient failures. Where nothing goes through, all requests wait: as long as
    the endpoint asks for at its limit, `max_wait_s` in all (0: not at all), and `outage_s` for one
    that does not answer (0: not at all). `prices` is a table model -> price; `max_cost` (0: none)
    caps what the run costs, all of its judges, sides and tries together: what does not fit stays
    not_judged. The stage fails where more than the share `max_unscored` has no score.

    `batch` has verdicts asked for by the endpoint's Batch API, in files of at most `batch_requests`
    and `batch_megabytes`, and waits `batch_hours` for them. The self-test and the anchors are asked
    for directly, and so are a few repairs.
    """

    endpoint: Annotated[str, MinLen(1)]
    model: Annotated[str, MinLen(1)]
    api_key_env: str = "ASSAY_JUDGE_API_KEY"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    ca_file: str = ""
    temperature: Annotated[float, Ge(0), Le(2)] | Literal["none"] = 0.0
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
    max_wait_s: Annotated[float, Ge(0), Le(WEEK_S)] = 600.0
    outage_s: Annotated[float, Ge(0), Le(WEEK_S)] = 1800.0
    batch: bool = False
    batch_hours: Annotated[float, Gt(0), Le(1000)] = 26.0
    batch_requests: Annotated[int, Ge(1), Le(1_000_000)] = 50_000
    batch_megabytes: Annotated[float, Gt(0), Le(10_000)] = 100.0
    self_test: bool = True
    anchors: str = ""
    calibration: str = ""
    flip_sample: Annotated[int, Ge(0)] = 20
    pairwise: bool = False
    panel: tuple[Seat, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    max_cost: Annotated[float, Ge(0)] = 0.0
    max_unscored: Annotated[float, Ge(0), Le(1)] = 0.5
