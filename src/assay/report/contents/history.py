"""A recurring evaluation: its runs, how far they are from each other, and which was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.records import Direction, Group, Side


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
    """One metric of one side now and `before`, in the run that it is compared with: the difference
    with its 95% interval (None for a total). Of `pairs` samples, over which both numbers then are;
    None where the difference is of two means that are not paired. It has `moved` where that holds
    with all that are compared at once (Holm), `p` being corrected for them."""

    name: str
    kind: Group
    side: Side
    direction: Direction
    before: float
    now: float
    difference: float
    low: float | None
    high: float | None
    pairs: int | None
    p: float | None
    moved: bool


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The last `runs` of a recurring evaluation, the newest, this one, last. `since` is the id of
    the last one that it is comparable with, "" for none: on the same dataset, or over enough of
    the same samples. `unpaired` says why the two are not compared sample by sample, "" where they
    are. `headlines` are the first metric of each kind, and `movements` how far they have moved
    since; `remarks` say what else has, the judge, and what of the history cannot be read."""

    runs: tuple[Record, ...]
    since: str
    unpaired: str
    headlines: tuple[str, ...]
    movements: tuple[Movement, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """That the candidate of the run with the id `run` was accepted: `by` whom, at which `time`
    (UTC) and `why`. `name` and `digest` are the candidate's, `gate` is what the gate had decided
    ("" without one), and `anyway` says that it was accepted although that was not GO."""

    run: str
    name: str
    digest: str
    time: str
    by: str
    why: str
    gate: str
    anyway: bool


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """How far the candidate is from the last one that was accepted, over the `samples` that both
    answered; nothing is compared where there is a `problem`, and `acceptance` is None where that
    is that it cannot be read. `same` says that it is that very model, asked in the same way.
    `remarks` say what is to be known of it, and why the judge's scores are not compared."""

    acceptance: Acceptance | None
    same: bool
    samples: int
    problem: str
    movements: tuple[Movement, ...]
    remarks: tuple[str, ...]
