"""How far the metrics of a run are from those of another run, all of them tested at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from assay.quantiles import t_outside, t_quantile
from assay.records import Comparison, Group, MetricSpec, Side
from assay.report.contents import Movement, Reading, Record
from assay.report.kept import Pairs, scored
from assay.report.shifts import PairedT
from assay.stats import difference_interval, holm

Key = tuple[Side, str]
"""A metric of one side."""
InPairs = PairedT | Comparison
"""How far a metric is from what it was, in pairs."""
OfOneSide = TypeVar("OfOneSide", bound=InPairs)
Compare = Callable[[Pairs, Side, Iterable[str], Mapping[str, MetricSpec]], list[OfOneSide]]

ALPHA = 0.05
JUDGED: tuple[Group, ...] = ("judge", "pairwise")


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two runs, `before` and `now`; `pairs` holds their scores over the same samples, None where
    these were not kept, and `specs` what each metric is."""

    before: Record
    now: Record
    pairs: Pairs | None
    specs: Mapping[str, MetricSpec]

    @property
    def same_judge(self) -> bool:
        """Whether both were judged by one judge, asked in the same way."""
        return self.before.judge_identity == self.now.judge_identity

    def same_model(self, side: str) -> bool:
        """Whether one side is the same model in both, asked in the same way."""
        digest, asked = self.now.digests.get(side), self.now.asked.get(side)
        return bool(digest) and (digest, asked) == (
            self.before.digests.get(side),
            self.before.asked.get(side),
        )


def is_comparable(two: Two, reading: Reading) -> bool:
    """Return whether a metric says the same in both runs: not where the judge has changed, nor a
    win rate against another baseline."""
    if reading.kind == "pairwise" and not two.same_model("baseline"):
        return False
    return two.same_judge or reading.kind not in JUDGED


def compared(
    two: Two, readings: Sequence[Reading], compare: Compare[OfOneSide]
) -> dict[Key, OfOneSide]:
    """Return now minus then, in pairs, for each of the `readings` that both runs scored and that
    says the same in both; `compare` says how."""
    if two.pairs is None:
        return {}
    names: dict[Side, list[str]] = {}
    for reading in readings:
        if is_comparable(two, reading):
            names.setdefault(reading.side, []).append(reading.name)
    return {
        (side, change.name): change
        for side in names
        for change in compare(two.pairs, side, names[side], two.specs)
    }


def movements(
    two: Two, readings: Sequence[Reading], differences: Mapping[Key, InPairs]
) -> tuple[Movement, ...]:
    """Return how far each of the `readings` of now has moved by the paired `differences`, or where
    nothing is paired by the two means; all of them are tested at once."""
    wanted = [reading for reading in readings if is_comparable(two, reading)]
    return corrected(_each(two, wanted, differences))


def corrected(moves: Iterable[Movement]) -> tuple[Movement, ...]:
    """Return the movements with their p values corrected for all being tested at once (Holm), and
    which of them have moved then."""
    moves = tuple(moves)
    values = holm({str(at): move.p for at, move in enumerate(moves) if move.p is not None})
    return tuple(
        replace(move, p=p, moved=p is not None and p <= ALPHA)
        for at, move in enumerate(moves)
        for p in [values.get(str(at))]
    )


def _each(
    two: Two, readings: Sequence[Reading], differences: Mapping[Key, InPairs]
) -> Iterator[Movement]:
    was = {(reading.side, reading.name): reading for reading in two.before.readings}
    for reading in readings:
        key = (reading.side, reading.name)
        if key in differences and two.pairs:
            yield _paired(reading, differences[key], two.pairs)
        elif key in was and (not two.pairs or _totals(two, reading)):
            yield from _apart(was[key], reading, two.specs)


def _totals(two: Two, reading: Reading) -> bool:
    """Whether a metric is a total over the same samples in both runs."""
    return reading.low is None and two.before.dataset_hash == two.now.dataset_hash


def _paired(reading: Reading, change: InPairs, pairs: Pairs) -> Movement:
    before, now, _ = scored(pairs, reading.side, reading.name)
    low, high = change.low, change.high
    return Movement(
        name=reading.name,
        kind=reading.kind,
        side=reading.side,
        direction=change.direction,
        before=float(before.mean()),
        now=float(now.mean()),
        difference=change.difference,
        low=low,
        high=high,
        pairs=change.n,
        p=_chance(change.difference, low, high, change.n - 1) if change.p is None else change.p,
        moved=False,
    )


def _apart(old: Reading, new: Reading, specs: Mapping[str, MetricSpec]) -> Iterator[Movement]:
    if old.value is None or new.value is None:
        return
    difference, before, now = new.value - old.value, _estimate(old), _estimate(new)
    low = high = p = None
    if before and now:
        low, high = difference_interval(before, now)
        p = _chance(difference, low, high, old.n + new.n - 2)
    yield Movement(
        name=new.name,
        kind=new.kind,
        side=new.side,
        direction=specs[new.name].direction if new.name in specs else "unknown",
        before=old.value,
        now=new.value,
        difference=difference,
        low=low,
        high=high,
        pairs=None,
        p=p,
        moved=False,
    )


def _estimate(reading: Reading) -> tuple[float, float, float] | None:
    if reading.value is None or reading.low is None or reading.high is None:
        return None
    return reading.value, reading.low, reading.high


def _chance(difference: float, low: float, high: float, freedom: int) -> float:
    """Return the p value of a difference's being 0 by its 95% interval, as far as that reaches
    towards 0, taken for one of Student's t: at most 5% where it leaves out 0."""
    reach = difference - low if difference > 0 else high - difference
    if reach <= 0:
        return float(difference == 0)
    return t_outside(freedom, abs(difference) / reach * t_quantile(freedom, 1 - ALPHA / 2))
