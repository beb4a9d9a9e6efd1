"""What endpoints say of their limits and of other refusals, in their own words: the cause, whether
to ask again, and when."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay.judge.outcome import CallError, call_error
from assay.judge.refusal import read, within
from assay.judge.waits import LONGEST_S, asked, hints

NOW = 1_764_174_000.0  # 2025-11-26 16:20:00 UTC
FAR_S = 1e6
KINDS = {
    "limits": ("rate_limited", True),
    "too_large": ("rate_limited", False),
    "money": ("rate_limited", False),
    "filters": ("content_filter", False),
    "overflows": ("context_overflow", False),
    "denied": ("auth", False),
    "broken": ("server_error", True),
}
WORDINGS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "refusals.jsonl").read_text().splitlines()
]


def failure(status: int, body: object, **headers: str) -> CallError:
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    refusal = within(body) if status == 200 else read(status, content, {})
    assert refusal
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return call_error(refusal, fields, lambda: NOW)


@pytest.mark.parametrize("row", WORDINGS, ids=lambda row: f"{row['kind']}: {row['case']}")
def test_each_endpoint_s_words_have_their_cause(row: dict[str, Any]) -> None:
    error = failure(row["status"], row["body"])
    cause, passing = KINDS[row["kind"]]
    assert (error.cause, error.transient) == (row.get("cause", cause), passing)
    if row["kind"] == "limits":
        wait = row.get("wait")
        if wait == "far":
            assert error.wait
            assert error.wait > FAR_S
        else:
            assert error.wait == (pytest.approx(float(wait)) if wait else None)


EPOCH = str(int(NOW) + 90)
WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry_after": "20"}, 20),
    "a fraction": ({"retry_after": " 0.5 "}, 0.5),
    "milliseconds": ({"retry_after_ms": "1500"}, 1.5),
    "azure's, both": ({"x_ms_retry_after_ms": "2500", "retry_after": "2"}, 2.5),
    "a date": ({"retry_after": formatdate(NOW + 90, usegmt=True)}, 90),
    "a date that is past": ({"retry_after": formatdate(NOW - 90, usegmt=True)}, 0),
    "a date of ISO": ({"retry_after": "2025-11-26T16:21:30Z"}, 90),
    "a moment": ({"retry_after": EPOCH}, 90),
    "a moment in ms": ({"retry_after": f"{EPOCH}000"}, 90),
    "a duration": ({"retry_after": "1m30s"}, 90),
    "a day": ({"retry_after": "86400"}, 86400),
    "nothing": ({"retry_after": "0"}, 0),
    "inf": ({"retry_after": "inf"}, None),
    "nan": ({"retry_after": "nan"}, None),
    "negative": ({"retry_after": "-5"}, None),
    "enormous": ({"retry_after": "1e300"}, LONGEST_S),
    "too many digits": ({"retry_after": "9" * 500}, LONGEST_S),
    "words": ({"retry_after": "soon"}, None),
    "no date": ({"retry_after": "Wed, 99 Foo 2025 99:99:99 GMT"}, None),
    "no such day": ({"retry_after": "2025-13-45T16:21:30Z"}, None),
    "empty": ({"retry_after": ""}, None),
    "openai's": ({"x_ratelimit_reset_requests": "1s", "x_ratelimit_reset_tokens": "6m0s"}, 1),
    "of the one that is used up": (
        {
            "x_ratelimit_reset_requests": "2m59.56s",
            "x_ratelimit_remaining_requests": "100",
            "x_ratelimit_reset_tokens": "7.66s",
            "x_ratelimit_remaining_tokens": "0",
        },
        7.66,
    ),
    "of both": (
        {
            "x_ratelimit_reset_requests": "59.7s",
            "x_ratelimit_remaining_requests": "0",
            "x_ratelimit_reset_tokens": "250ms",
            "x_ratelimit_remaining_tokens": "0",
        },
        59.7,
    ),
    "cerebras's": (
        {"x_ratelimit_reset_tokens_minute": "11.38", "x_ratelimit_reset_requests_day": "33011.3"},
        11.38,
    ),
    "anthropic's": ({"anthropic_ratelimit_requests_reset": "2025-11-26T16:21:30Z"}, 90),
    "a reset in seconds": ({"x_ratelimit_reset": "42"}, 42),
    "a reset as a moment": ({"x_ratelimit_reset": EPOCH}, 90),
    "a reset as a moment in ms": ({"x_rate_limit_reset": f"{EPOCH}000"}, 90),
    "the draft's": ({"ratelimit_reset": "30", "ratelimit_remaining": "0"}, 30),
    "the draft's, in one": ({"ratelimit": "limit=10, remaining=0, reset=7"}, 7),
    "the newer draft's": ({"ratelimit": '"day";r=9;t=36000, "burst";r=0;t=5'}, 5),
    "mistral's": ({"ratelimitbysize_reset": "24"}, 24),
    "what says when to ask again goes before": (
        {"retry_after": "3", "x_ratelimit_reset_requests": "1h"},
        3,
    ),
    "garbage does not hide a reset": ({"retry_after": "inf", "x_ratelimit_reset": "42"}, 42),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], wait: float | None) -> None:
    error = failure(429, {"error": "slow down"}, **headers)
    assert error.wait == (None if wait is None else pytest.approx(wait))


def test_a_reset_is_no_wait_of_an_endpoint_that_is_broken() -> None:
    # it stands on every answer
    assert failure(500, {"error": "oh"}, x_ratelimit_reset_tokens="6m0s").wait is None
    assert failure(503, {"error": "oh"}, retry_after="7").wait == 7


WORDS = {
    "Please try again in 1m12.5s.": 72.5,
    "Please try again in 6h23m.": 22980,
    "Try again in 2 hours and 5 minutes": 7500,
    "Please wait 20 seconds before asking again": 20,
    "Quota exceeded, it will reset after 1 day": 86400,
    "retry_after: 12": 12,
    "Limit resets at 2025-11-26T16:21:30Z": 90,
    "Limit resets at: 2025-11-26 16:21:30 UTC": 90,
    "请在 20 秒后重试": 20,
    "请于5分钟后重试": 300,
    "请等待30秒": 30,
    "请求过于频繁,1小时后再试": 3600,
    "您的限额将在 2025-11-27 00:21:30 重置": 90,  # in Beijing
    "try again later": None,
    "请稍后再试": None,
    "at most 3 requests per 60 seconds": None,
    "1分钟内最多请求10次": None,
}


@pytest.mark.parametrize(("text", "wait"), WORDS.items())
def test_a_wait_is_read_in_words(text: str, wait: float | None) -> None:
    assert asked(text, (), NOW) == wait


@given(
    some.text(),
    some.lists(some.tuples(some.sampled_from(["retry-after", "ratelimit"]), some.text())),
)
def test_whatever_stands_there_is_a_wait_or_none(text: str, fields: list[tuple[str, str]]) -> None:
    wait = asked(f"try again in {text}", fields, NOW)
    assert wait is None or 0 <= wait <= LONGEST_S


def test_fields_of_a_body_are_found_at_any_depth() -> None:
    body = {"error": {"details": [{"@type": "RetryInfo", "retryDelay": {"seconds": 34}}]}}
    assert hints(body) == (("retryDelay", "34"),)
    deep: Any = {"retry_after": 1}
    for _ in range(2000):
        deep = {"x": deep}
    assert hints(deep) == ()
