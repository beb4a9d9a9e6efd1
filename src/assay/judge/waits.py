"""How long an endpoint asks to be left alone, in the forms in which endpoints say it: headers,
fields of a body, words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

LONGEST_S = 1e9  # more is the same to whoever waits, and no calendar has its end
_EPOCH_S, _EPOCH_MS = 1e9, 1e12  # from here on a number is a moment and no duration
_DEEPEST, _MOST, _LONGEST_VALUE = 8, 50, 80
_CHINA = timezone(timedelta(hours=8))
_RETRY = re.compile(
    r"(?:x-)?(?:ms-)?retry[-_]?(?:after|delay|in)(?P<unit>[-_]?(?:ms|milli.*|s|sec.*))?|"
    r"estimated_time|wait_(?:time|seconds)",
    re.IGNORECASE,
)
_RESET = re.compile(r".*rate[-_]?limit.*reset.*", re.IGNORECASE)
_POLICY = re.compile(r"(?:x-)?ratelimit", re.IGNORECASE)  # IETF: what remains and the reset in one
_UNITS = {
    r"ms|msecs?|millis(?:econds?)?|毫秒": 0.001,
    r"s|secs?|seconds?|秒钟?": 1.0,
    r"m|mins?|minutes?|分钟?": 60.0,
    r"h|hrs?|hours?|个?小时": 3600.0,
    r"d|days?|天": 86400.0,
}
_PIECE = rf"\d{{1,12}}(?:\.\d{{1,12}})?\s*(?:{'|'.join(_UNITS)})(?![a-z])"
_LENGTH = rf"{_PIECE}(?:[\s,]*(?:and\s+)?{_PIECE})*"
_MOMENT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?Z\b| ?[+-]\d\d:?\d\d)?"
_AGAIN = r"(?:try(?:ing)?\s(?:\w+\s)?again|retr(?:y|ied|ying)|wait|resets?|available|重置|恢复)"
_SAID = (
    re.compile(rf"(?:{_AGAIN}|until|将在|于)\D{{0,40}}?(?P<said>{_MOMENT})", re.IGNORECASE),
    re.compile(rf"{_AGAIN}[^\d.;]{{0,40}}?(?P<said>{_LENGTH})", re.IGNORECASE),
    re.compile(rf"等[^\d。;]{{0,10}}(?P<said>{_LENGTH})", re.IGNORECASE),
    re.compile(rf"(?P<said>{_LENGTH})\s*(?:之|以)?后", re.IGNORECASE),
    re.compile(r"retry[-_ ]?after\W{0,4}(?P<said>\d{1,12}(?:\.\d+)?)(?![\d-])", re.IGNORECASE),
)


def hints(body: object) -> tuple[tuple[str, str], ...]:
    """Return what the fields of a body, at any depth, say of when to ask again (name, value):
    Google's retryDelay, headers that a router quotes."""
    return tuple(_hints(body, 0))[:_MOST]


def asked(
    text: str, fields: Sequence[tuple[str, str]], now: float, *, resets: bool = True
) -> float | None:
    """Return the seconds that an endpoint asks to wait, from its words and the `fields` of its
    headers and body, at `now` (seconds since the epoch); None where it does not say so in a form
    that can be read. What says when a limit is reset counts where nothing says when to ask again,
    and only with `resets`: some endpoints send it with every answer."""
    told = [seconds_in(value, now, unit) for value, unit in _retries(fields)]
    told.append(_said(text, now))
    waits = [wait for wait in told if wait is not None]
    return max(waits) if waits else _reset(fields, now) if resets else None


def seconds_in(value: str, now: float, unit: float = 1.0, zone: timezone = UTC) -> float | None:
    """Return the seconds from `now` that a value says: a number of `unit` seconds, a duration such
    as 1m30s, a moment as a date (of the `zone` where it names none) or since the epoch. None for
    what is none of these."""
    value = value.strip().strip("\"'")[:_LONGEST_VALUE]
    try:
        number = float(value)
    except ValueError:
        seconds = _length(value) if re.fullmatch(_LENGTH, value, re.I) else _until(value, now, zone)
        return None if seconds is None else min(seconds, LONGEST_S)
    if not math.isfinite(number) or number < 0:
        return None
    if number >= _EPOCH_S:
        number = max(0.0, number / (1000 if number >= _EPOCH_MS else 1) - now)
        return min(number, LONGEST_S)
    return number * unit


def _retries(fields: Sequence[tuple[str, str]]) -> Iterator[tuple[str, float]]:
    for name, value in fields:
        if match := _RETRY.fullmatch(name):
            unit = (match["unit"] or "").strip("-_").lower()
            yield value, 0.001 if unit.startswith("m") else 1.0


def _reset(fields: Sequence[tuple[str, str]], now: float) -> float | None:
    """Return when the limits that are used up are all reset; where no field says of one how much
    remains of it, the soonest reset."""
    remaining = {name.lower(): value for name, value in fields}
    used_up: list[float] = []
    others: list[float] = []
    for name, value in _resets(fields):
        wait = seconds_in(value, now)
        if wait is not None:
            rest = remaining.get(name.lower().replace("reset", "remaining"), "")
            (used_up if re.fullmatch(r"0+(\.0*)?", rest.strip()) else others).append(wait)
    return max(used_up) if used_up else min(others, default=None)


def _resets(fields: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in fields:
        if _RESET.fullmatch(name):
            yield name, value
        elif _POLICY.fullmatch(name):
            times = re.findall(r"(?:\bt|reset)=(\d{1,12})", value)
            spent = re.findall(r"(?:\br|remaining)=0\b.*?(?:\bt|reset)=(\d{1,12})", value)
            yield from ((name, time) for time in spent[:1] or times[:1])


def _said(text: str, now: float) -> float | None:
    zone = _CHINA if re.search("[\u4e00-\u9fff]", text) else UTC
    for pattern in _SAID:
        if match := pattern.search(text):
            return seconds_in(match["said"], now, zone=zone)
    return None


def _length(value: str) -> float:
    total = 0.0
    for pattern, unit in _UNITS.items():
        numbers = re.findall(rf"(\d+(?:\.\d+)?)\s*(?:{pattern})(?![a-z])", value, re.IGNORECASE)
        total += unit * sum(map(float, numbers))
    return total


def _until(value: str, now: float, zone: timezone) -> float | None:
    try:
        if re.fullmatch(_MOMENT, value, re.IGNORECASE):
            moment = datetime.fromisoformat(value.replace(" Z", "Z").replace(" +", "+"))
        elif re.search(r"\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4} ", value):
            moment = parsedate_to_datetime(value)
        else:
            return None
        return max(
            0.0, (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() - now
        )
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _hints(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST or not isinstance(value, Mapping | list):
        return
    items = value.items() if isinstance(value, Mapping) else [("", item) for item in value[:20]]
    for name, item in items:
        if isinstance(item, Mapping) and _RETRY.fullmatch(str(name)) and "seconds" in item:
            item = item["seconds"]  # a protobuf duration that was not written as text
        if isinstance(item, str | int | float) and not isinstance(item, bool):
            if _is_hint(str(name)):
                yield str(name)[:_LONGEST_VALUE], str(item)[:_LONGEST_VALUE]
        else:
            yield from _hints(item, depth + 1)


def _is_hint(name: str) -> bool:
    low = name.lower()
    limit = "rate" in low and "limit" in low and ("reset" in low or "remaining" in low)
    return limit or bool(_RETRY.fullmatch(name) or _POLICY.fullmatch(name))
