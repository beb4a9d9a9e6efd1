"""The trend of a recurring evaluation: how far this run is from the last comparable one, and
whether it is the judge that has moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from assay import store
from assay.folder import EARLIER, HISTORY
from assay.records import Generation, Group
from assay.report import kept
from assay.report.contents import Caution, MetricRow, Movement, Reading, Record, Report, Trend
from assay.report.glossary import specs_of
from assay.report.history import History
from assay.report.kept import Pairs
from assay.report.moved import Two, compared, movements
from assay.report.plain import minute, plain, signed
from assay.report.run import EvaluatedRun
from assay.report.shifts import shifts
from assay.report.sides import name_of

KINDS: tuple[Group, ...] = ("judge", "pairwise", "task", "similarity", "own", "likelihood")
_APART = "Its scores are not compared with those before."


def with_trend(report: Report, run: EvaluatedRun) -> Report:
    """Return `report` with the trend that history.json of the run's folder gives it, and what that
    says of the judge and of the history among the cautions. Raises InputError."""
    history = history_of(run)
    if history is None:
        return report
    told = _trend(report, run, history)
    warnings = tuple(Caution(severe=False, text=remark) for remark in told.remarks)
    time = report.time or told.runs[-1].time
    return replace(report, time=time, trend=told, cautions=(*report.cautions, *warnings))


def history_of(run: EvaluatedRun) -> History | None:
    """Return history.json of a run's folder, None without one. Raises InputError."""
    path = run.folder / HISTORY
    return store.read_record(path, History) if path.is_file() else None


def pairs_with(run: EvaluatedRun, name: str) -> Pairs | None:
    """Return the scores of a run and those in the file `name` of its folder, over the samples that
    both have; None without that file."""
    path = run.folder / name
    return kept.pair(kept.read(path), kept.scores_of(run)) if path.is_file() else None


def record_of(run: EvaluatedRun, rows: Sequence[MetricRow], history: History) -> Record:
    """Return what a history keeps of a run, but for its gate's decision."""
    judged = run.candidate.judge
    return Record(
        id=history.id,
        time=history.time,
        name=name_of(run, run.candidate),
        dataset_hash=run.candidate.generation.dataset_hash,
        samples=len(run.positions),
        digests={side.side: side.generation.digest for side in run.sides},
        asked={side.side: _asked(side.generation) for side in run.sides},
        judge=judged.model if judged else "",
        rubric=f"{judged.rubric}, version {judged.rubric_version} ({judged.rubric_digest[:12]})"
        if judged
        else "",
        judge_identity=judged.identity if judged else "",
        gate="",
        readings=tuple(reading for row in rows for reading in _readings(row)),
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


def judge_remarks(two: Two) -> Iterator[str]:
    """Yield how the judge has changed between two runs, or that it has drifted: that the scores of
    a side that is the same model, asked in the same way, have moved."""
    before, now = two.before, two.now
    if not before.judge or not now.judge:
        return
    since = f"the run of {when(before)} UTC"
    was, is_ = (f"{record.judge} on rubric {record.rubric}" for record in (before, now))
    if was != is_:
        yield f"The judge has changed since {since}: then {was}, now {is_}. {_APART}"
    elif not two.same_judge:
        yield f"The judge is asked otherwise than in {since}. {_APART}"
    else:
        yield from _drifts(two, since)


def _trend(report: Report, run: EvaluatedRun, history: History) -> Trend:
    decision = report.gate.decision if report.gate else ""
    now = replace(record_of(run, report.summary, history), gate=decision)
    before = _since(history, now)
    headlines = _headlines(report.summary)
    two = None
    if before:
        two = Two(before=before, now=now, pairs=pairs_with(run, EARLIER), specs=specs_of(run))
    shown = [reading for reading in now.readings if reading.name in headlines]
    return Trend(
        runs=(*history.earlier, now),
        since=before.id if before else "",
        unpaired=_unpaired(history) if two and not two.pairs else "",
        headlines=headlines,
        movements=movements(two, shown, compared(two, shown, shifts)) if two else (),
        remarks=(*history.unreadable, *(judge_remarks(two) if two else ())),
    )


def _since(history: History, now: Record) -> Record | None:
    if history.since is not None:
        return next((record for record in history.earlier if record.id == history.since), None)
    alike = [record for record in history.earlier if record.dataset_hash == now.dataset_hash]
    return alike[-1] if alike else None


def _unpaired(history: History) -> str:
    return history.unpaired or "the scores of that run, sample by sample, are not in this folder"


def _asked(generation: Generation) -> str:
    return store.hash_rows([plain(generation.template), plain(generation.settings)])[:16]


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


def _drifts(two: Two, since: str) -> Iterator[str]:
    same = [side for side in two.now.digests if two.same_model(side)]
    judged = [r for r in two.now.readings if r.kind == "judge" and r.side in same]
    moves = movements(two, judged, compared(two, judged, shifts))
    for side in same:
        told = ", ".join(
            f"{move.name} {difference(move)}" for move in moves if move.moved and move.side == side
        )
        if told:
            yield (
                f"The judge has drifted: the {side} is the same model, asked in the same way, as "
                f"in {since}, and its scores have moved: {told}."
            )
