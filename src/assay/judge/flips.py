"""The same answers judged twice: how often a judge changes its mind where nothing has changed.

Temperature 0 makes no endpoint deterministic, so a few of the answers that have a verdict are asked
about once more, in the same way (A/A). Which ones is drawn by their keys, whatever the order of the
dataset, so that a run that is resumed pays for no others.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.intervals import interval, wilson
from assay.judge.hearing import Hearing, Keyed
from assay.judge.log import NOT_JUDGED, rows
from assay.records import Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # the mean of dimensions, twice the same, may differ in its last digit


@dataclass(frozen=True, kw_only=True)
class Changed:
    """How many scores changed by at least `by` (0: at all), and the 95% interval of their share
    (Wilson 1927, JASA 22); None where nothing has a score both times."""

    by: float
    count: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What came of judging answers a second time: `asked` were, `n` have a score both times.

    `changed` counts those whose score is another, and `far` those where it moved far: by two points
    or more, of pairs from one side to the other. `mean_change` is how far they moved either way, on
    average, with its 95% interval; None where there are fewer than two.
    """

    asked: int
    n: int
    changed: Changed
    far: Changed
    mean_change: float | None = None
    low: float | None = None
    high: float | None = None


def judge_again(
    hearing: Hearing,
    log: Path,
    cases: Callable[[], Iterable[Keyed]],
    given: Mapping[str, Verdict],
    *,
    only_failed: bool = False,
) -> dict[str, Verdict]:
    """Have `flip_sample` of the `cases` that have their verdict in `given` judged once more, and
    return what was asked for, by id. The second verdicts are logged in `log` under keys of their
    own, and paid for once like the first; those that are there come first."""

    def again() -> Iterator[Keyed]:
        return ((_second(key), case) for key, case in _scored(cases(), given))

    hearing.adopt(log, again, _second)  # of all, since which are drawn depends on it
    paid = {row.key for row in rows(log) if not row.unscored} if log.is_file() else set()
    drawn = heapq.nsmallest(
        hearing.settings.flip_sample, again(), key=lambda keyed: (keyed[0] not in paid, keyed[0])
    )
    second = hearing.beside(log, drawn, only_failed=only_failed, by_batch=True, adopted=True)
    # the cap on the cost leaves some out
    return {id_: row for id_, row in second.items() if NOT_JUDGED not in row.unscored.values()}


def compare(
    given: Mapping[str, Verdict],
    second: Mapping[str, Verdict],
    score: Callable[[Mapping[str, float]], float],
    *,
    reach: float,
    far: float,
) -> Flips | None:
    """Return what came of it by the `score` of a verdict's values, of which two can lie `reach`
    apart, and `far` is far. None where nothing was asked for again."""
    import numpy as np

    scored = [(given[id_].values, row.values) for id_, row in second.items() if not row.unscored]
    moved = np.array([abs(score(now) - score(was)) for was, now in scored], dtype=np.float64)
    if not second:
        return None
    low, high = interval(moved, (0, reach)).ends if len(moved) > 1 else (None, None)
    return Flips(
        asked=len(second),
        n=len(moved),
        changed=_changed(moved, 0),
        far=_changed(moved, far),
        mean_change=float(moved.mean()) if len(moved) > 1 else None,
        low=None if low is None else max(0.0, low),
        high=None if high is None else min(reach, high),
    )


def _scored(cases: Iterable[Keyed], given: Mapping[str, Verdict]) -> Iterator[Keyed]:
    """Yield the cases that have a score under their key, of twins the first."""
    seen = set()
    for key, case in cases:
        verdict = given.get(case[0].id)
        if verdict and verdict.key == key and not verdict.unscored and key not in seen:
            seen.add(key)
            yield key, case


def _second(key: str) -> str:
    name, _, behind = key.partition(" ")  # what the endpoint refused stays behind it
    digest = hashlib.sha256(f"second {name}".encode()).hexdigest()[:32]
    return f"{digest} {behind}" if behind else digest


def _changed(moved: Floats, by: float) -> Changed:
    count = int((moved >= max(by, _ROUNDING)).sum())
    low, high = wilson(count / len(moved), len(moved)) if len(moved) else (None, None)
    return Changed(by=by, count=count, low=low, high=high)
