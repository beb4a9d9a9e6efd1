"""A log of verdicts from its first to its last, and its summary: what scores and pairs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from assay import progress, store
from assay.judge.flips import judge_again
from assay.judge.hearing import Hearing, Keyed
from assay.judge.log import bring, pending, verdicts
from assay.judge.unscored import check_share
from assay.progress import Listener
from assay.records import Verdict

T = TypeVar("T")

Verdicts = Mapping[str, Verdict]
"""The verdict of each id."""


class Summary(Protocol):
    """What is written of a log last: how many were `judged`, and what has no score, by cause."""

    @property
    def judged(self) -> int:
        """How many verdicts there are."""
        ...

    @property
    def unscored(self) -> Mapping[str, int]:
        """How many of them have no score, by cause."""
        ...


@dataclass(frozen=True, kw_only=True)
class LogFiles:
    """The `log` of the verdicts, that of the `second` ones on what is judged twice, and where the
    `summary` goes."""

    log: Path
    second: Path
    summary: Path


def judge_all(
    hearing: Hearing,
    files: LogFiles,
    keyed: Callable[[], Iterator[Keyed]],
    beside: Callable[[], T],
    summarise: Callable[[Verdicts, Verdicts, T], Summary],
    *,
    side: str,
    unit: str,
    only_failed: bool,
    listen: Listener,
) -> None:
    """Append a verdict to the log for each of the `keyed` that has none, judge a few of them again
    and, before them, what stands `beside`; then write what `summarise` makes of all three. The
    `hearing` has recalled the log. Raises as `judge`."""
    most = hearing.settings.max_samples
    todo = pending(files.log, keyed(), hearing.names, most=most, only_failed=only_failed)
    bring(files.log, todo, files.summary)
    with progress.track(
        listen,
        "judge",
        total=todo.done + todo.left,
        unit=unit,
        side=side,
        done=todo.done,
        note=hearing.note(),
    ) as tracker:
        hearing.tell_to(tracker)
        others = beside()
        hearing.fill(files.log, todo, keyed(), tracker)
        given = verdicts(files.log)
        second = judge_again(
            hearing, files.second, lambda: first(hearing, keyed()), given, only_failed=only_failed
        )
        summary = summarise(given, second, others)
        store.write_json(files.summary, summary)
        tracker.advance(0, note=hearing.note())
        check_share(summary.unscored, summary.judged, hearing.settings, files.log, hearing.budget)


def first(hearing: Hearing, rows: Iterator[T]) -> Iterator[T]:
    """Return those of the rows that are to be judged at all."""
    return islice(rows, hearing.settings.max_samples or None)
