"""Cron expressions: the five fields that people know, as KFP's six, read as KFP reads them.

KFP's schedule controller takes seconds first, reads five fields as the first five of its six, and
takes much that means something else than it says. A schedule that never fires makes it start runs
without end. So what it would misread is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, product
from zoneinfo import ZoneInfo

from assay.errors import SettingsError

YEARS = 5  # as far as KFP looks for the next firing
CENTURY = 366 * 100  # days
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIVE = "minute hour day-of-month month day-of-week"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A place in the expression: its name, the least and the greatest value, and their names."""

    name: str
    least: int
    greatest: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field(name="second", least=0, greatest=59),
    Field(name="minute", least=0, greatest=59),
    Field(name="hour", least=0, greatest=23),
    Field(name="day of month", least=1, greatest=31),
    Field(name="month", least=1, greatest=12, names=MONTHS),
    Field(name="day of week", least=0, greatest=7, names=DAYS),
)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """An expression that was read: `kfp` for KFP, and the values of each field. A day has to match
    both its fields, or only one of them where neither has a star."""

    kfp: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool

    def on(self, day: date) -> bool:
        """Return whether it fires on a day."""
        if day.month not in self.months:
            return False
        matches = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return all(matches) if self.any_day else any(matches)


def parse(expression: str) -> Cron:
    """Return what a cron expression of five or six fields says. Raises SettingsError for what
    KFP would read as something else, or could not read."""
    parts = SHORT.get(expression.strip().lower(), expression).split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != 6:
        raise SettingsError(
            f"cron {expression!r} has {len(parts)} fields",
            f"Write five ({FIVE}), or six with the second first",
        )
    values = [_values(part, field, expression) for part, field in zip(parts, FIELDS, strict=True)]
    cron = Cron(
        kfp=" ".join(map(_for_kfp, parts, FIELDS, values)),
        seconds=values[0],
        minutes=values[1],
        hours=values[2],
        days=values[3],
        months=values[4],
        weekdays=frozenset(value % 7 for value in values[5]),
        any_day=any(sign in parts[3] + parts[5] for sign in "*?"),
    )
    if not any(map(cron.on, _days(date(2000, 1, 1), 366 * YEARS))):
        raise SettingsError(
            f"cron {expression!r} never fires: no month has such a day", "Correct the day or month"
        )
    return cron


def firings(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the times, in `zone`, at which it fires after `after` (an aware time)."""
    local = after.astimezone(zone)
    for day in filter(cron.on, _days(local.date(), CENTURY)):
        for hour in sorted(cron.hours):
            yield from (firing for firing in _in_hour(cron, day, hour, zone) if firing > after)


def upcoming(cron: Cron, zone: ZoneInfo, after: datetime, count: int = 3) -> list[datetime]:
    """Return the next firings after `after`."""
    return list(islice(firings(cron, zone, after), count))


def _in_hour(cron: Cron, day: date, hour: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the firings of an hour: none where the clock skips it, twice where it repeats it."""
    offsets = set()
    for fold in (0, 1):
        for minute, second in product(sorted(cron.minutes), sorted(cron.seconds)):
            local = datetime.combine(day, time(hour, minute, second, fold=fold), zone)
            instant = local.astimezone(UTC)
            if instant in offsets:
                continue
            offsets.add(instant)
            back = instant.astimezone(zone)
            if back.replace(tzinfo=None) == local.replace(tzinfo=None):
                yield back


def _days(first: date, count: int) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range(count))


def _values(text: str, field: Field, expression: str) -> frozenset[int]:
    values: set[int] = set()
    parts = text.split(",")
    if len(parts) > 1 and any(part[:1] in ("*", "?") for part in parts):
        raise SettingsError(
            f"cron {expression!r}: {text!r} has a star in a list", "Remove the rest"
        )
    for part in parts:
        values |= _range(part, field, expression)
    return frozenset(values)


def _range(part: str, field: Field, expression: str) -> set[int]:
    """Return the values of `*`, `N`, `N-M`, each with `/STEP`; `N/STEP` goes to the greatest."""

    def refuse(reason: str) -> SettingsError:
        return SettingsError(
            f"cron {expression!r}: {field.name} {part!r} {reason}",
            f"Write numbers from {field.least} to {field.greatest}, *, N-M, or */STEP",
        )

    shape = re.fullmatch(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
    if shape is None:
        raise refuse("is nothing that KFP can read")
    star, low, high, step = shape.groups()
    if star == "?" and (field.name not in ("day of month", "day of week") or step or part != "?"):
        raise refuse("has a ? that stands for no day")
    ends = [_number(text, field) for text in (low, high) if text]
    if None in ends:
        raise refuse("is no number or three-letter name")
    numbers = [end for end in ends if end is not None]
    if any(not field.least <= number <= field.greatest for number in numbers):
        raise refuse("is out of range")
    start = numbers[0] if numbers else field.least
    last = numbers[-1] if numbers and not (step and len(numbers) == 1) else field.greatest
    if field.name == "day of week" and last == 7 and (star or (step and len(numbers) == 1)):
        last = 6
    if start > last:
        raise refuse("begins after its end")
    stride = int(step or 1)
    if not 0 < stride <= field.greatest:
        raise refuse(f"has a step that is not within 1 and {field.greatest}")
    return set(range(start, last + 1, stride))


def _number(text: str, field: Field) -> int | None:
    if text.isdecimal():
        return int(text)
    if text.lower() in field.names:
        return field.least + field.names.index(text.lower())
    return None


def _for_kfp(part: str, field: Field, values: frozenset[int]) -> str:
    """Return a field in the form that KFP reads the same: numbers, and stars where they were."""
    if any(sign in part for sign in "*?"):
        return part.replace("?", "*")
    return ",".join(
        map(str, sorted({value % 7 if field.names is DAYS else value for value in values}))
    )
