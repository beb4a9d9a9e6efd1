"""A cron moved to the zone of KFP's controller fires at the same times, or is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from assay.errors import SettingsError
from assay.kubeflow import cron, zones

AFTER = datetime(2026, 1, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "here", "there"),
    [
        ("30 3 * * 1-5", "Asia/Kolkata", "UTC"),
        ("0 6 * * *", "Asia/Kolkata", "UTC"),
        ("0 20 * * 0", "UTC", "Asia/Tokyo"),
        ("15 9 1 * *", "Asia/Tokyo", "UTC"),
        ("*/15 * * * *", "Asia/Kathmandu", "UTC"),
        ("0 22,23 * * *", "UTC", "Asia/Tokyo"),
        ("0 3 * * *", "Europe/Berlin", "Europe/Paris"),
        ("0 3 1 * *", "Europe/Berlin", "Europe/Berlin"),
        ("0 9 * * mon", "UTC", "Etc/GMT+5"),
    ],
)
def test_it_fires_at_the_same_times(expression: str, here: str, there: str) -> None:
    mine, theirs = ZoneInfo(here), ZoneInfo(there)
    meant = cron.parse(expression)
    given = cron.parse(zones.moved(meant, mine, theirs).kfp)
    expected = cron.upcoming(meant, mine, AFTER, 50)
    found = cron.upcoming(given, theirs, AFTER, 50)
    assert [at.astimezone(UTC) for at in found] == [at.astimezone(UTC) for at in expected]


@pytest.mark.parametrize(
    ("expression", "here", "there", "message"),
    [
        ("0 3 * * *", "Europe/Berlin", "UTC", "clocks change"),
        ("0 3 1 * *", "Asia/Tokyo", "UTC", "another day"),
        ("0 3,12 * * 1", "Asia/Tokyo", "UTC", "another day"),
        ("0,50 3 * * *", "Asia/Kathmandu", "UTC", "cannot be moved"),
    ],
)
def test_what_one_cron_cannot_say_is_refused(
    expression: str, here: str, there: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        zones.moved(cron.parse(expression), ZoneInfo(here), ZoneInfo(there))


def test_a_zone_that_there_is_not_is_refused() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd", "CET-1CEST"):
        with pytest.raises(SettingsError, match="is no time zone"):
            zones.zone(name, "time_zone")
