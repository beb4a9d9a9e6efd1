"""Cron as people know it becomes cron as KFP reads it: against KFP's own parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from assay.errors import SettingsError
from assay.kubeflow import cron

# What robfig/cron v1.2.0 answered; reference.go beside it is the program.
ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "cron" / "firings.json").read_text()
)
# What KFP's parser takes, and what a person meant by it is something else.
MISREAD = {"0 */90 * * * *", "0 0 3 *-5 * *", "0 ? * * * *", "0 , * * * *"}
# What a person means, and KFP's parser does not take: it is translated.
TRANSLATED = {"0 0 12 * * 7": "0 0 12 * * 0", "0 3 * * *": "0 0 3 * * *"}


def row_id(row: dict[str, Any]) -> str:
    return f"{row['expression']} {row['zone']} {row['after']}"


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_it_fires_when_kfp_fires_or_is_refused(row: dict[str, Any]) -> None:
    expression = row["expression"]
    if expression in TRANSLATED:
        assert cron.parse(expression).kfp == TRANSLATED[expression]
        return
    if "error" in row or expression in MISREAD:
        with pytest.raises(SettingsError, match="cron"):
            cron.parse(expression)
        return
    after = datetime.fromisoformat(row["after"])
    found = cron.upcoming(cron.parse(expression), ZoneInfo(row["zone"]), after, count=6)
    expected = [datetime.fromisoformat(text) for text in row["firings"]]
    assert [one.astimezone(UTC) for one in found] == [one.astimezone(UTC) for one in expected]


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_what_kfp_is_given_means_the_same(row: dict[str, Any]) -> None:
    expression = row["expression"]
    if "error" in row or expression in MISREAD | set(TRANSLATED):
        return
    given, meant = cron.parse(cron.parse(expression).kfp), cron.parse(expression)
    assert given == meant


@pytest.mark.parametrize(
    ("people", "kfp"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/15 * * * *", "0 */15 * * * *"),
        ("0 9 * * mon-fri", "0 0 9 * * 1,2,3,4,5"),
        ("0 9 * * 5-7", "0 0 9 * * 0,5,6"),
        ("0 0 1 Jan ?", "0 0 0 1 1 *"),
        ("@daily", "0 0 0 * * *"),
        ("30 0 9 1 * *", "30 0 9 1 * *"),
        ("0 12 */2 * 1", "0 0 12 */2 * 1"),
    ],
)
def test_what_people_write(people: str, kfp: str) -> None:
    assert cron.parse(people).kfp == kfp


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 31 2 *", "never fires"),
        ("* * *", "has 3 fields"),
        ("", "has 0 fields"),
        ("@every 1h", "has 2 fields"),
        ("0 3 * * 8", "out of range"),
        ("0 3 * * fri-sun", "begins after its end"),
        ("0 3 L * *", "no number or three-letter name"),
        ("0 3 * * 5#2", "nothing that KFP can read"),
        ("*/90 * * * *", "step"),
        ("? 3 * * *", "stands for no day"),
        ("0 3 1,* * *", "star in a list"),
        ("0 -3 * * *", "nothing that KFP can read"),
    ],
)
def test_what_would_be_misread_is_refused(expression: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        cron.parse(expression)
