"""The last accepted model: how far the candidate is from it, over the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.folder import ACCEPTED
from assay.judge import WIN_RATE
from assay.records import Comparison
from assay.report.contents import Accepted, Caution, MetricRow, Reading
from assay.report.glossary import specs_of
from assay.report.history import History
from assay.report.kept import differences as paired
from assay.report.moved import JUDGED, Two, compared, movements
from assay.report.run import EvaluatedRun
from assay.report.trend import history_of, judge_remarks, pairs_with, record_of


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What is `told` of the last accepted model, how the judge has changed since (`changes`), the
    paired `differences` of the candidate from it by metric, and the `two` runs that they are of;
    None where they are not compared."""

    told: Accepted
    changes: tuple[str, ...]
    differences: Mapping[str, Comparison]
    two: Two | None


def reference(run: EvaluatedRun, rows: Sequence[MetricRow]) -> Reference | None:
    """Return the comparison of a run, whose table is `rows`, with the last model that its history
    has accepted; None where there is none. Raises InputError."""
    history = history_of(run)
    if history is None or (history.accepted is None and not history.problem):
        return None
    pairs = None if history.problem else pairs_with(run, ACCEPTED)
    problem = history.problem
    if not problem and (pairs is None or not pairs.enough):
        problem = f"only {pairs.samples if pairs else 0} of its samples are among those of this run"
    if problem or history.model is None:
        return Reference(told=_told(history, problem), changes=(), differences={}, two=None)
    now = record_of(run, rows, history)
    return _compared(history, Two(before=history.model, now=now, pairs=pairs, specs=specs_of(run)))


def cautions(against: Reference | None) -> Iterator[Caution]:
    """Yield that the last accepted model cannot be compared with."""
    if against and against.told.problem:
        text = f"The last accepted model is not compared with: {against.told.problem}."
        yield Caution(severe=False, text=text)


def why_not(name: str, against: Reference) -> str:
    """Return why the comparison with the last accepted model says nothing of a metric, "" where it
    does."""
    two = against.two
    if two is None:
        return f"the last accepted model is not compared with: {against.told.problem}"
    kinds = {reading.name: reading.kind for reading in two.now.readings}
    if kinds.get(name) in JUDGED and (against.changes or not two.same_judge):
        return against.changes[0] if against.changes else "nobody judged one of the two runs"
    if name == WIN_RATE and not two.same_model("baseline"):
        return "the last accepted model was judged against another baseline"
    if name not in against.differences:
        return "the last accepted model has no score of it on the same samples"
    return ""


def _compared(history: History, two: Two) -> Reference:
    readings = [reading for reading in two.now.readings if _is_compared(reading)]
    differences, changes = compared(two, readings, paired), tuple(judge_remarks(two))
    told = Accepted(
        acceptance=history.accepted,
        same=two.same_model("candidate"),
        samples=two.pairs.samples if two.pairs else 0,
        problem="",
        movements=movements(two, readings, differences),
        remarks=(*_remarks(two), *changes),
    )
    by_name = {name: comparison for (_, name), comparison in differences.items()}
    return Reference(told=told, changes=changes, differences=by_name, two=two)


def _told(history: History, problem: str) -> Accepted:
    return Accepted(
        acceptance=history.accepted,
        same=False,
        samples=0,
        problem=problem,
        movements=(),
        remarks=(),
    )


def _is_compared(reading: Reading) -> bool:
    """Whether it is a metric of the candidate that says how good the answers are."""
    return reading.side == "candidate" and reading.kind != "diagnostic"


def _remarks(two: Two) -> Iterator[str]:
    if two.same_model("candidate"):
        yield "The candidate is the accepted model itself, asked in the same way."
    elif two.now.asked.get("candidate") != two.before.asked.get("candidate"):
        yield "The two were asked otherwise: the template or the generation settings differ."
