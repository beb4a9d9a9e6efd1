"""What each row of the table of metrics lets a reader say, alone and with all of them tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from assay.records import Comparison
from assay.report.contents import MetricRow, Outcome
from assay.stats import holm

MIN_PAIRS = 10
ALPHA = 0.05
PRIMARY_SHARE = 0.8
"""Of alpha, what the primary metric is tested with; all others have the rest, and the whole once
the primary one is called."""
CALLED = ("better", "worse", "higher", "lower")
_OF_A_JUDGE = ("judge", "pairwise")
WORDS: Mapping[Outcome, str] = {
    "better": "▲ better",
    "worse": "▼ worse",
    "higher": "higher",
    "lower": "lower",
    "none": "no difference shown",
    "chance": "may be chance",
    "few": "too few samples",
    "no interval": "no interval",
    "not compared": "not compared",
}


def outcome(comparison: Comparison | None, difference: float | None) -> Outcome:
    """Return what the interval of a paired difference lets us say, were it the only one.

    With fewer than `MIN_PAIRS` pairs an interval is too narrow to say anything.
    """
    if comparison is None:
        return "not compared" if difference is None else "no interval"
    if comparison.n < MIN_PAIRS:
        return "few"
    if comparison.low <= 0 <= comparison.high:
        return "none"
    if comparison.direction in ("neither", "unknown"):
        return _way(comparison)
    risen = comparison.difference > 0
    return "better" if risen == (comparison.direction == "higher") else "worse"


def settle(
    tables: Sequence[Sequence[MetricRow]], primary: str, *, distrusted: bool
) -> tuple[tuple[MetricRow, ...], ...]:
    """Return the rows of `tables` as they stand with all of their comparisons tested at once: where
    nothing differs, one is called in at most 5% of all reports.

    They are one family by Holm's procedure with weights, in which `primary`, of the first table,
    weighs as much as `PRIMARY_SHARE` says; "" for none. Of a judge that is `distrusted` scores are
    higher or lower, and neither better nor worse.
    """
    values = dict(_tested(tables))
    first, others = _key(0, primary), len(values) - 1
    heavy = PRIMARY_SHARE / (1 - PRIMARY_SHARE) * others if others else 1.0
    corrected = holm(values, {first: heavy} if first in values else {})
    return tuple(
        tuple(_settled(row, corrected.get(_key(at, row.name)), distrusted) for row in rows)
        for at, rows in enumerate(tables)
    )


def stand(rows: Sequence[MetricRow], *, distrusted: bool) -> tuple[MetricRow, ...]:
    """Return rows as they stand with the comparisons of all of them tested at once, none of which
    weighs more; `distrusted` as of `settle`."""
    corrected = holm(dict(_tested([[replace(row, name=str(at)) for at, row in enumerate(rows)]])))
    return tuple(
        _settled(row, corrected.get(_key(0, str(at))), distrusted) for at, row in enumerate(rows)
    )


def _key(table: int, name: str) -> str:
    return f"{table} {name}"


def _tested(tables: Sequence[Sequence[MetricRow]]) -> Iterator[tuple[str, float]]:
    for at, rows in enumerate(tables):
        for row in rows:
            if row.comparison and row.outcome != "few":
                yield _key(at, row.name), _p(row.comparison)


def _p(comparison: Comparison) -> float:
    """Return the p value; where there is none, the greatest that fits the interval."""
    if comparison.p is not None:
        return comparison.p
    return 1.0 if comparison.low <= 0 <= comparison.high else ALPHA


def _settled(row: MetricRow, corrected: float | None, distrusted: bool) -> MetricRow:
    came = row.outcome
    if came in CALLED and corrected is not None and corrected > ALPHA:
        came = "chance"
    elif distrusted and row.kind in _OF_A_JUDGE and came in CALLED and row.comparison:
        came = _way(row.comparison)
    return replace(row, corrected=corrected, outcome=came)


def _way(comparison: Comparison) -> Outcome:
    return "higher" if comparison.difference > 0 else "lower"
