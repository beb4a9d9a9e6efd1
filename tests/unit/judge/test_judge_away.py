"""A judge that is away, or at its limit, in the middle of a stage: what is paid stays, what is
missing is asked when it is back, and the user sees what is waited for."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from assay import progress, store
from assay.errors import JudgeError, StageError
from assay.judge import JudgeSummary, check, judge, verdicts
from assay.judge.standstill import FEWEST
from assay.progress import Progress
from assay.report.sections import health
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge.fake import settings_for

Make = Callable[[int], tuple[Path, Path]]

AWAY = {
    "502": error(502, "Bad Gateway"),
    "503": error(503, "Loading model"),
    "hangs up": Answer(drop=True),
    "hangs": chat(scores(), delay=1.0),
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.judge.standstill.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("assay.judge.standstill.LONGEST_PAUSE_S", {"limit": 0.02, "away": 0.02})
    monkeypatch.setattr("assay.judge.throttle.FIRST_WAIT_S", 0.01)


def absent(first: int, last: int, answer: Answer) -> Callable[[Body], Answer]:
    """Answer all but the requests of these numbers."""
    numbers = itertools.count()
    return lambda _: answer if first <= next(numbers) < last else chat(scores())


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_it_is_waited_out(answer: Answer, files: Make, tmp_path: Path) -> None:
    out, told = tmp_path / "verdicts.jsonl", list[Progress]()
    with serving(absent(5, 20, answer)) as endpoint:
        timeout_s = 0.5 if answer.delay else 30.0
        settings = settings_for(endpoint.url, outage_s=60.0, concurrency=4, timeout_s=timeout_s)
        judge(*files(12), out, settings, listen=told.append)
    assert all(row.values for row in verdicts(out).values())
    assert len(endpoint.requests) == 12 + 15 + 1  # what had passed told that it was back
    waiting = [event.waiting for event in told if event.waiting]
    assert waiting
    assert "waiting for the judge, which is away, " in waiting[0]
    assert told[-1].waiting == ""
    summary = store.read_record(out.with_name("judge.json"), JudgeSummary)
    assert summary.waited_s > 0
    assert any("Waited for the judge" in str(row) for row in health.table({"base": summary}).rows)


def test_one_that_stays_away_ends_the_stage_with_all_that_is_paid(
    files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(absent(5, 10**6, error(503, "down"))) as endpoint:
        settings = settings_for(endpoint.url, outage_s=0.3, concurrency=4, max_unscored=0.5)
        with pytest.raises(StageError) as ended:
            judge(*files(40), out, settings)
    assert "gives no more verdicts: server_error: nothing went through for 0:0" in ended.value.what
    assert "moved, assay judge RUN --set judge.endpoint=URL goes on" in ended.value.remedy
    assert "(judge.outage_s = 0.3): HTTP 503: down" in ended.value.what
    assert "only what is missing is asked" in ended.value.remedy
    assert sum(not row.unscored for row in verdicts(out).values()) == 5
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(40), out, settings_for(endpoint.url))
    assert len(endpoint.requests) == 35


def test_one_that_is_too_slow_is_told_of_its_time(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: chat(scores(), delay=0.3)) as endpoint:
        settings = settings_for(endpoint.url, outage_s=0.2, timeout_s=0.1, max_unscored=0.5)
        with pytest.raises(StageError) as ended:
            judge(*files(4), tmp_path / "verdicts.jsonl", settings)
    assert "raise judge.timeout_s" in ended.value.remedy


def test_a_limit_of_a_day_ends_the_stage_and_names_the_time(files: Make, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    daily = error(429, "Limit of requests per day (RPD)", headers={"Retry-After": "86400"})
    slow, numbers = chat(scores(), delay=0.3), itertools.count()
    # seven are in flight when the eighth is told to wait: they are paid, and kept
    with serving(lambda _: slow if next(numbers) < 7 else daily) as endpoint:
        settings = settings_for(endpoint.url, concurrency=16, max_unscored=0.0)
        with pytest.raises(StageError) as ended:
            judge(*files(60), out, settings)
    assert "rate_limited: it asks to wait 24:00:00, until 2" in ended.value.what
    assert "HTTP 429: Limit of requests per day (RPD)" in ended.value.what
    assert "judge.max_wait_s" in ended.value.remedy
    assert sum(not row.unscored for row in verdicts(out).values()) == 7
    assert len(endpoint.requests) <= 7 + 16 + FEWEST


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e300", "tomorrow", "86400", "3600"])
def test_no_wait_that_it_writes_stops_for_ever(value: str, files: Make, tmp_path: Path) -> None:
    answer = error(429, "slow down", headers={"Retry-After": value})
    with serving(lambda _: answer) as endpoint:
        settings = settings_for(endpoint.url, max_wait_s=0.1, retries=1, max_unscored=0.0)
        with pytest.raises(StageError, match="rate_limited"):
            judge(*files(3), tmp_path / "v.jsonl", settings)
    assert len(endpoint.requests) < 100


def test_preflight_waits_for_no_judge_that_is_away() -> None:
    with serving(lambda _: error(503, "down")) as endpoint, pytest.raises(JudgeError) as away:
        check(settings_for(endpoint.url, outage_s=1800.0))
    assert "server_error: HTTP 503: down" in away.value.what
    assert len(endpoint.requests) == 3
    with pytest.raises(JudgeError, match="no connection"):
        check(settings_for("http://127.0.0.1:1/v1", outage_s=1800.0))


def test_preflight_gives_a_slow_judge_the_time_that_the_settings_give_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.judge.preflight.LONGEST_S", 0.1)
    with serving(lambda _: chat(scores(), delay=0.4)) as endpoint:
        check(settings_for(endpoint.url, timeout_s=30.0))
        assert len(endpoint.requests) == 1
        with pytest.raises(JudgeError, match="timeout: it did not answer in time") as slow:
            check(settings_for(endpoint.url, timeout_s=0.05, retries=0))
    assert "raise judge.timeout_s (now 0.05)" in slow.value.remedy


def test_preflight_names_the_time_of_a_long_wait() -> None:
    answer = error(429, "slow down", headers={"Retry-After": "3600"})
    with serving(lambda _: answer) as endpoint, pytest.raises(JudgeError) as limited:
        check(settings_for(endpoint.url))
    assert "rate_limited: it asks to wait 1:00:00, until" in limited.value.what
    assert len(endpoint.requests) == 1


def test_a_log_has_a_line_of_a_wait_each_half_minute() -> None:
    stream = io.StringIO()
    listen = progress.to_lines(stream)

    def event(time: float, waiting: str = "") -> Progress:
        return Progress(
            stage="judge", done=8, total=20, unit="verdicts", time=time, waiting=waiting
        )

    listen(event(0))
    for second in range(1, 70):
        listen(event(second, f"waiting, {70 - second} left"))
    listen(event(70))
    assert stream.getvalue().splitlines() == [
        "judge: 8/20 verdicts",
        "judge: 8/20 verdicts, waiting, 69 left",
        "judge: 8/20 verdicts, waiting, 39 left",
        "judge: 8/20 verdicts, waiting, 9 left",
        "judge: 8/20 verdicts",
    ]
