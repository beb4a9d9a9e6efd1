"""A schedule's time zone: KFP reads every cron in the one zone of its schedule controller."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assay.errors import SettingsError
from assay.kubeflow.cron import DAYS, FIELDS, YEARS, Cron

DAY = 24 * 60


def zone(name: str, where: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises SettingsError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"{where} = {name!r} is no time zone", "Write it as Europe/Berlin or UTC"
        ) from None


def moved(cron: Cron, here: ZoneInfo, there: ZoneInfo) -> Cron:
    """Return the cron that fires in the zone `there` when `cron` does in `here`.

    Raises SettingsError where no single cron does: the clocks change at other times, or part of
    the firings falls on another day.
    """
    minutes = _distance(here, there)
    if minutes == 0:
        return cron
    if minutes is None:
        raise _impossible(here, there, "their clocks change at different times")
    pairs = [divmod(hour * 60 + minute + minutes, DAY) for hour, minute in _times(cron)]
    hours = frozenset(rest // 60 for _, rest in pairs)
    rests = frozenset(rest % 60 for _, rest in pairs)
    if len(set(pairs)) != len(hours) * len(rests):
        raise _impossible(here, there, "its hours and minutes cannot be moved so far")
    shifted = replace(cron, hours=hours, minutes=rests)
    return _written(_on_other_days(shifted, {day for day, _ in pairs}, here, there))


def _times(cron: Cron) -> list[tuple[int, int]]:
    return list(product(cron.hours, cron.minutes))


def _distance(here: ZoneInfo, there: ZoneInfo) -> int | None:
    """Return how many minutes `there` is ahead, None where that changes in the coming years."""
    start = datetime.now(UTC)
    offsets = set()
    for day in range(366 * YEARS):
        at = start + timedelta(days=day)
        ahead = (at.astimezone(there).utcoffset() or timedelta()) - (
            at.astimezone(here).utcoffset() or timedelta()
        )
        offsets.add(round(ahead.total_seconds() / 60))
    return offsets.pop() if len(offsets) == 1 else None


def _on_other_days(cron: Cron, days: set[int], here: ZoneInfo, there: ZoneInfo) -> Cron:
    every_date = len(cron.days) == 31 and len(cron.months) == 12 and cron.any_day
    if days == {0} or (every_date and len(cron.weekdays) == 7):
        return cron
    if len(days) > 1 or not every_date:
        raise _impossible(here, there, "part of its firings falls on another day")
    (later,) = days
    return replace(cron, weekdays=frozenset((day + later) % 7 for day in cron.weekdays))


def _written(cron: Cron) -> Cron:
    old = cron.kfp.split()
    weekdays = "*" if len(cron.weekdays) == len(DAYS) else _list(cron.weekdays)
    hours = "*" if len(cron.hours) == FIELDS[2].greatest + 1 else _list(cron.hours)
    same_days = old[5] == "*" or weekdays == old[5]
    parts = [old[0], _list(cron.minutes), hours, old[3], old[4], old[5] if same_days else weekdays]
    return replace(cron, kfp=" ".join(parts))


def _list(values: frozenset[int]) -> str:
    return ",".join(map(str, sorted(values)))


def _impossible(here: ZoneInfo, there: ZoneInfo, reason: str) -> SettingsError:
    return SettingsError(
        f"this cron in {here.key} cannot be given to KFP, which reads it in {there.key}: {reason}",
        f"Write it in {there.key}; or start KFP's schedule controller with "
        f"CRON_SCHEDULE_TIMEZONE={here.key} and set ASSAY_KFP_TIME_ZONE={here.key}",
    )
