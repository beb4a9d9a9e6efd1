"""The trend of a recurring evaluation: how far this run is from the last comparable one, and
whether it is the judge that has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay import store
from assay.folder import HISTORY
from assay.records import Group
from assay.report.contents import Caution, MetricRow, Movement, Reading, Record, Report, Trend
from assay.report.history import History
from assay.report.plain import minute, plain, signed
from assay.stats import difference_interval

KINDS: tuple[Group, ...] = ("judge", "pairwise", "similarity", "own", "likelihood")
_JUDGED: tuple[Group, ...] = ("judge", "pairwise")


def with_trend(report: Report, run: Path) -> Report:
    """Return `report` with the trend that history.json of the folder `run` gives it, and what that
    says of the judge among the cautions. Raises InputError."""
    path = run / HISTORY
    if not path.is_file():
        return report
    told = trend(report, store.read_record(path, History))
    warnings = tuple(Caution(severe=False, text=remark) for remark in told.remarks)
    time = report.time or told.runs[-1].time
    return replace(report, time=time, trend=told, cautions=(*report.cautions, *warnings))


def trend(report: Report, history: History) -> Trend:
    """Return the trend of a run, reported in `report`, after its `history`."""
    now = _record(report, history)
    alike = [record for record in history.earlier if record.dataset_hash == now.dataset_hash]
    before = alike[-1] if alike else None
    headlines = _headlines(report.summary)
    return Trend(
        runs=(*history.earlier, now),
        since=before.id if before else "",
        headlines=headlines,
        movements=tuple(_movements(before, now, headlines)) if before else (),
        remarks=tuple(_remarks(before, now)) if before else (),
    )


def difference(movement: Movement) -> str:
    """Return a movement's difference with its interval."""
    change = signed(movement.difference, movement.kind)
    if movement.low is None:
        return change
    low, high = (signed(bound, movement.kind) for bound in (movement.low, movement.high))
    return f"{change} ({low} to {high})"


def when(record: Record) -> str:
    """Return a record's time for reading, to the minute."""
    return minute(record.time)


def _record(report: Report, history: History) -> Record:
    judged = report.judging.get("candidate")
    return Record(
        id=history.id,
        time=history.time,
        name=report.sides[-1].name,
        dataset_hash=report.dataset_hash,
        samples=report.samples,
        digests={side.side: side.digest for side in report.sides},
        asked={side.side: _asked(report.provenance, side.side) for side in report.sides},
        judge=judged.model if judged else "",
        rubric=f"{judged.rubric}, version {judged.rubric_version} ({judged.rubric_digest[:12]})"
        if judged
        else "",
        judge_identity=judged.identity if judged else "",
        gate=report.gate.decision if report.gate else "",
        readings=tuple(reading for row in report.summary for reading in _readings(row)),
    )


def _asked(provenance: Mapping[str, object], side: str) -> str:
    generation = plain(provenance[side])
    return store.hash_rows([generation["template"], generation["settings"]])[:16]


def _readings(row: MetricRow) -> Iterator[Reading]:
    for metric in filter(None, (row.baseline, row.candidate)):
        yield Reading(
            name=row.name,
            kind=row.kind,
            side=metric.side,
            value=metric.value,
            n=metric.n,
            low=metric.low,
            high=metric.high,
        )


def _headlines(rows: Sequence[MetricRow]) -> tuple[str, ...]:
    firsts = (next((row.name for row in rows if row.kind == kind), "") for kind in KINDS)
    return tuple(name for name in firsts if name)


def _movements(before: Record, now: Record, names: Sequence[str]) -> Iterator[Movement]:
    """What a changed judge says is not compared."""
    was = {(reading.name, reading.side): reading for reading in before.readings}
    changed = before.judge_identity != now.judge_identity
    for reading in now.readings:
        old = was.get((reading.name, reading.side))
        if reading.name in names and old and not (changed and reading.kind in _JUDGED):
            yield from _movement(old, reading)


def _movement(old: Reading, new: Reading) -> Iterator[Movement]:
    if old.value is None or new.value is None:
        return
    low, high = _interval(old, new)
    yield Movement(
        name=new.name,
        kind=new.kind,
        side=new.side,
        before=old.value,
        now=new.value,
        difference=new.value - old.value,
        low=low,
        high=high,
        moved=low is not None and high is not None and not low <= 0 <= high,
    )


def _interval(old: Reading, new: Reading) -> tuple[float, float] | tuple[None, None]:
    before, now = _estimate(old), _estimate(new)
    return difference_interval(before, now) if before and now else (None, None)


def _estimate(reading: Reading) -> tuple[float, float, float] | None:
    if reading.value is None or reading.low is None or reading.high is None:
        return None
    return reading.value, reading.low, reading.high


def _remarks(before: Record, now: Record) -> Iterator[str]:
    if not before.judge or not now.judge:
        return
    since = f"the run of {when(before)} UTC"
    was, is_ = (f"{record.judge} on rubric {record.rubric}" for record in (before, now))
    if was != is_:
        yield f"The judge has changed since {since}: then {was}, now {is_}. {_APART}"
    elif before.judge_identity != now.judge_identity:
        yield f"The judge is asked otherwise than in {since}. {_APART}"
    else:
        yield from _drifts(before, now, since)


def _drifts(before: Record, now: Record, since: str) -> Iterator[str]:
    names = [reading.name for reading in now.readings if reading.kind == "judge"]
    moves = [move for move in _movements(before, now, names) if move.moved]
    for side, digest in now.digests.items():
        same = digest and digest == before.digests.get(side)
        told = ", ".join(f"{move.name} {difference(move)}" for move in moves if move.side == side)
        if same and told and now.asked[side] == before.asked.get(side):
            yield (
                f"The judge has drifted: the {side} is the same model, asked in the same way, as "
                f"in {since}, and its scores have moved: {told}."
            )


_APART = "Its scores are not compared with those before."
