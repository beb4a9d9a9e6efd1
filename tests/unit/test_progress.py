from __future__ import annotations

import asyncio
import contextlib
import io
from pathlib import Path

import pytest

from assay import progress
from assay.progress import Pace, Progress, following


def test_a_stage_is_reported_from_its_first_event_to_done() -> None:
    events: list[Progress] = []
    with progress.track(events.append, "judge", side="baseline", total=2, unit="samples") as step:
        step.advance()
        step.advance(note="almost")
    assert [event.state for event in (events[0], events[-1])] == ["running", "done"]
    assert (events[0].done, events[-1].done, events[-1].note) == (0, 2, "almost")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncio.CancelledError(), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (KeyboardInterrupt("stopped by SIGTERM"), "stopped by SIGTERM"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_stage_that_was_broken_off_says_so(error: BaseException, told: str) -> None:
    events: list[Progress] = []
    with (
        contextlib.suppress(type(error)),
        progress.track(events.append, "judge", total=3, unit="verdicts"),
    ):
        raise error
    assert (events[-1].state, events[-1].note) == ("failed", told)


def test_a_failed_stage_says_why() -> None:
    events: list[Progress] = []
    step = progress.track(events.append, "judge", total=2, unit="samples")
    with pytest.raises(ValueError, match="boom"), step:
        raise ValueError("boom")
    assert (events[-1].state, events[-1].note) == ("failed", "boom")


def test_close_events_are_merged_and_the_last_is_kept() -> None:
    events: list[Progress] = []
    with progress.track(events.append, "metrics", total=1000, unit="samples", every=60) as step:
        for _ in range(1000):
            step.advance()
    assert [event.done for event in events] == [0, 1000]


def event(done: int, time: float, **more: str) -> Progress:
    return Progress(stage="generate", done=done, total=100, unit="samples", time=time, **more)  # type: ignore[arg-type]


def test_the_rate_starts_when_the_first_unit_does() -> None:
    pace = Pace()
    assert pace.describe(event(0, 0)) == "generate: 0/100 samples"
    pace.describe(event(0, 60, note="loading the model"))
    assert pace.describe(event(20, 70)) == "generate: 20/100 samples, 2/s, 0:40 left"
    done = event(100, 110, state="done")
    assert pace.describe(done) == "generate: 100/100 samples, 2/s, done in 1:50"


def test_lines_go_where_they_were_asked_for_whatever_is_redirected_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listen, log = progress.to_lines(), io.StringIO()
    with contextlib.redirect_stdout(log):
        listen(event(0, 0))
    assert (capsys.readouterr().out, log.getvalue()) == ("generate: 0/100 samples\n", "")


def test_a_high_rate_is_a_number_that_people_read_and_a_line_that_is_read_back() -> None:
    pace = Pace()
    pace.describe(event(0, 0))
    line = pace.describe(event(100, 0.001, state="done"))
    assert line == "generate: 100/100 samples, 100,000/s, done in 0:00"
    back = progress.read_line(line)
    assert back is not None
    assert (back.done, back.state) == (100, "done")


def test_a_stage_that_begins_again_has_a_new_clock() -> None:
    pace = Pace()
    for begin in (0.0, 100.0):
        pace.describe(Progress(stage="publish", total=10, unit="MB", time=begin))
        line = pace.describe(
            Progress(stage="publish", state="done", done=10, total=10, unit="MB", time=begin + 5)
        )
        assert line == "publish: 10/10 MB, 2/s, done in 0:05"


def test_a_resumed_stage_does_not_count_what_it_found() -> None:
    pace = Pace()
    pace.describe(event(90, 0))
    assert pace.rate(event(95, 10)) == 0.5


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (61, "1:01"), (3600, "1:00:00")])
def test_durations_read_as_a_clock(seconds: float, shown: str) -> None:
    assert progress.clock(seconds) == shown


def test_lines_are_few_and_hold_the_first_and_the_last() -> None:
    stream = io.StringIO()
    listen = progress.to_lines(stream, every=1e9)
    for number in range(50):
        listen(event(number, 1e12 + number))
    listen(event(100, 1e12 + 51, state="done"))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "0/100" in lines[0]
    assert "done in 0:51" in lines[1]


def test_events_in_a_file_reach_a_follower(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    seen: list[Progress] = []
    with following(path, seen.append):
        write = progress.to_file(path)
        write(event(1, 1.0))
        write(event(2, 2.0, note="ünïcode"))
    assert [(e.done, e.note) for e in seen] == [(1, ""), (2, "ünïcode")]
