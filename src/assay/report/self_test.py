"""The judge's self-test in the report: failed, passed, or not tested where nothing answered it."""

from __future__ import annotations

from collections.abc import Iterator

from assay.judge import JudgeSummary
from assay.judge.health import Probe
from assay.report.contents import Caution
from assay.report.run import EvaluatedRun


def advisory(run: EvaluatedRun) -> bool:
    """Return whether the judge failed its self-test on any side."""
    return any(side.judge is not None and side.judge.health.failed for side in run.sides)


def passed(run: EvaluatedRun) -> bool:
    """Return whether the judge was given the self-test, and passed all of it on every side."""
    states = [side.judge.health for side in run.sides if side.judge]
    return bool(states) and all(
        state.self_test and not state.failed and not state.untested for state in states
    )


def untested(run: EvaluatedRun) -> tuple[str, ...]:
    """Return the answers of the self-test that the judge gave no verdict on, on any side."""
    names = (name for side in run.sides if side.judge for name in side.judge.health.untested)
    return tuple(dict.fromkeys(names))


def doubts(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield that the judge failed its self-test, and that it left some of it without a verdict."""
    if advisory(run):
        yield Caution(severe=False, text=_advisory(run))
    if untested(run):
        yield Caution(severe=False, text=_not_tested(run))


def of_seats(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield the same of the panel's further judges."""
    seats = [summary for side in run.sides for summary, _ in side.panel]
    failed = {seat.model for seat in seats if seat.health.failed}
    unsure = {seat.model for seat in seats if seat.health.untested} - failed
    for model in sorted(failed | unsure):
        outcome = (
            "failed its self-test" if model in failed else "did not answer all of its self-test"
        )
        yield Caution(
            severe=False,
            text=f"{model}, a judge of the panel, {outcome}: its scores count in the panel's all "
            "the same.",
        )


def mark(probe: Probe) -> str:
    """Return what came of one answer of the self-test, in two words."""
    if probe.score is None:
        return "– no verdict"
    return f"{'✓' if probe.passed else '✗'} {probe.score:g}"


def result(summary: JudgeSummary) -> str:
    """Return what came of the whole self-test, as one line."""
    results = summary.health.self_test
    if not results:
        return "not made"
    failed, untested = summary.health.failed, summary.health.untested
    state = "failed" if failed else "not fully tested" if untested else "passed"
    rest = f", {len(untested)} without a verdict" if untested else ""
    return f"{state}: {len(results) - len(failed) - len(untested)} of {len(results)}{rest}"


def _advisory(run: EvaluatedRun) -> str:
    failed = dict.fromkeys(
        name for side in run.sides if side.judge for name in side.judge.health.failed
    )
    return (
        f"The judge failed its self-test ({', '.join(failed)}): its scores are advisory and do not "
        "count in the verdict."
    )


def _not_tested(run: EvaluatedRun) -> str:
    return (
        f"The judge gave no verdict on {', '.join(untested(run))} of its self-test: whether it can "
        "be believed is not fully tested. `assay judge` asks again."
    )
