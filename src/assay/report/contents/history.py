"""A recurring evaluation: its runs, and how far they are from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.records import Group, Side


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One metric of one side in one run, with its 95% interval (None for a total)."""

    name: str
    kind: Group
    side: Side
    value: float | None
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run of a recurring evaluation, as its history keeps it. `time` (UTC) is that of its
    first report, `name` what the candidate is called. By side: the `digests` of the weights, and
    `asked`, the digest of template and generation settings. `judge`, `rubric` and `judge_identity`
    (all that a verdict depends on but the case) are "" where nobody judged, `gate` without one."""

    id: str
    time: str
    name: str
    dataset_hash: str
    samples: int
    digests: Mapping[str, str]
    asked: Mapping[str, str]
    judge: str
    rubric: str
    judge_identity: str
    gate: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One metric of one side now and `before`, in the last comparable run: the difference with its
    95% interval (None for a total), which has `moved` where the interval leaves out 0."""

    name: str
    kind: Group
    side: Side
    before: float
    now: float
    difference: float
    low: float | None
    high: float | None
    moved: bool


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The last `runs` of a recurring evaluation, the newest, this one, last. One with another
    dataset_hash is not comparable with it; `since` is the id of the last one that is, "" for none.
    `headlines` are the first metric of each kind, and `movements` how far they have moved since;
    `remarks` say what else has: the judge."""

    runs: tuple[Record, ...]
    since: str
    headlines: tuple[str, ...]
    movements: tuple[Movement, ...]
    remarks: tuple[str, ...]
