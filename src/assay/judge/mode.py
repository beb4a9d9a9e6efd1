"""What a way of judging is, and what it is given: each is one file in modes/ and a line there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assay import progress
from assay.judge.cost import Budget
from assay.judge.settings import JudgeSettings
from assay.progress import Listener
from assay.records import SIDES, Side


@dataclass(frozen=True, kw_only=True)
class JudgeJob:
    """What there is to judge: each side's `predictions` for the `samples`, as the `settings` say,
    into the run folder `out`, paid from the run's `budget`. `only_failed` leaves out what was never
    asked."""

    samples: Path
    predictions: Mapping[str, Path]
    out: Path
    settings: JudgeSettings
    budget: Budget
    only_failed: bool = False
    listen: Listener = progress.ignore

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that have predictions, the baseline first."""
        return tuple(side for side in SIDES if side in self.predictions)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The requests that one judge is to answer: so many for each sample, of which so many are
    judged `twice`, and so many in all for the answers `beside` them, those of the self-test and the
    anchors."""

    per_sample: int
    beside: int = 0
    twice: int = 0


class Priced(Protocol):
    """A summary of judging, whichever mode wrote it."""

    @property
    def cost(self) -> float | None:
        """What the judging cost; None without a price."""


@dataclass(frozen=True, kw_only=True)
class JudgeMode:
    """One way of judging.

    `judges` returns whom the settings have it ask about so many sides, none where it is not
    wanted, and raises JudgeError where one of them cannot be asked. `calls` returns what one of
    these judges is to answer, before repairs and retries. `judge` does a job: it appends the
    verdicts that lack to their logs, and writes its summaries last; it raises InputError before
    anything is paid for, and StageError where too much has no score. `costs` reads from a run
    folder what this mode alone was paid for there, a number for each judging that has a price.
    """

    name: str
    judges: Callable[[JudgeSettings, int], Sequence[JudgeSettings]]
    calls: Callable[[JudgeSettings, int], Calls]
    judge: Callable[[JudgeJob], None]
    costs: Callable[[Path], list[float]]


def priced(summaries: Iterable[Priced]) -> list[float]:
    """Return the costs of those that have a price."""
    return [summary.cost for summary in summaries if summary.cost is not None]
