"""The judge in the report: who it was, whether it can be believed, and what makes it doubtful."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from assay.report import self_test
from assay.report.contents import Caution
from assay.report.families import base, families
from assay.report.plain import signed
from assay.report.run import EvaluatedRun, SideRun

ENOUGH = 10
_CLUMPED = 0.8
_FICKLE = 0.05
_SMALL_JUDGE = 3e9
_UNITS = {"m": 1e6, "b": 1e9}


def doubts(run: EvaluatedRun) -> Iterator[Caution]:
    """Yield what must be known of the judge before its scores are trusted."""
    yield from self_test.doubts(run)
    yield from _unfinished(run)
    yield from _unscored(run)
    for side in run.sides:
        yield from _clumped(side.verdicts.values.get("overall"), side.side)
    yield from _unfit(run)
    yield from self_test.of_seats(run)
    yield from _unlike(run)
    yield from _moved(run)
    yield from _fickle(run)


def _unfinished(run: EvaluatedRun) -> Iterator[Caution]:
    """That the judge was stopped before its end: what it says of a side is written last."""
    if not any(side.judge or side.judging.attempts for side in run.sides):
        return
    for side in run.sides:
        judged, answers = len(side.judging.commented), len(run.positions)
        if side.judge is None and judged < answers:
            yield Caution(
                severe=False,
                text=f"The judge has not finished: it has judged {judged:,} of {answers:,} answers "
                f"of the {side.side}. The same command again goes on with what is missing.",
            )


def _unscored(run: EvaluatedRun) -> Iterator[Caution]:
    causes = {side.side: _failures(side) for side in run.sides}
    if not any(causes.values()):
        return
    failed = " and ".join(
        f"{counts.total()} of {len(run.positions)} {side} answers"
        for side, counts in causes.items()
        if counts
    )
    listed = ", ".join(dict.fromkeys(cause for counts in causes.values() for cause in counts))
    yield Caution(
        severe=False,
        text=f"The judge gave no score for {failed} ({listed}). They are left out, never "
        "counted as 0.",
    )


def _unfit(run: EvaluatedRun) -> Iterator[Caution]:
    """Why the judge itself is doubtful: it is the graded model or of its family, or too small by
    its name."""
    if not run.judge:
        return
    names = {side.generation.model for side in run.sides}
    names |= {side.generation.base_model for side in run.sides}
    names |= {run.manifest.base_model} if run.manifest else set()
    graded = {base(name) for name in names if name}
    faults = []
    if base(run.judge) in graded:
        faults.append("is the graded model or its base, and favours answers like its own")
    elif shared := families(run.judge) & {family for name in graded for family in families(name)}:
        family = sorted(shared)[0]
        faults.append(f"is of the graded model's family, {family}, and may favour answers like it")
    size = re.search(r"(\d+(?:\.\d+)?)(m|b)\b", base(run.judge))
    if size and float(size[1]) * _UNITS[size[2]] < _SMALL_JUDGE:
        faults.append(
            f"has {size[0].upper()} parameters by its name: models this small judge badly"
        )
    if faults:
        yield Caution(severe=False, text=f"The judge, {run.judge}, {'; it '.join(faults)}.")


def _unlike(run: EvaluatedRun) -> Iterator[Caution]:
    if len({side.judge.identity for side in run.sides if side.judge}) > 1:
        yield Caution(
            severe=True,
            text="Baseline and candidate were judged by different judges or rubrics.",
        )


def _moved(run: EvaluatedRun) -> Iterator[Caution]:
    for side in run.sides:
        shifts = side.judge.drift if side.judge else {}
        moved = {name: shift for name, shift in shifts.items() if shift.drifted}
        if moved:
            told = ", ".join(
                f"{name} {signed(shift.mean, 'judge')}" for name, shift in moved.items()
            )
            yield Caution(
                severe=False,
                text=f"The judge has moved on its anchors ({told}): compare its scores with those "
                "of earlier runs with that in mind.",
            )
            return


def _fickle(run: EvaluatedRun) -> Iterator[Caution]:
    """That the judge gives the same answer another score too often, where that is sure."""
    for side in run.sides:
        flips = side.judge.flips if side.judge else None
        if flips and flips.far.low is not None and flips.far.low > _FICKLE:
            yield Caution(
                severe=False,
                text=f"The judge changed its mind by {flips.far.by:g} or more on {flips.far.count} "
                f"of {flips.n} answers of the {side.side} that it was shown twice: set "
                "judge.repeats to 3.",
            )


def _failures(side: SideRun) -> Counter[str]:
    causes = side.verdicts.causes
    name = "overall" if "overall" in causes else next(iter(causes), "")
    return Counter(causes.get(name, {}).values())


def _clumped(scores: object, side: str) -> Iterator[Caution]:
    import numpy as np

    values = np.asarray(scores if scores is not None else [], dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) < ENOUGH:
        return
    unique, counts = np.unique(values, return_counts=True)
    share = counts.max() / len(values)
    if share > _CLUMPED:
        yield Caution(
            severe=False,
            text=f"The judge gives {unique[counts.argmax()]:g} to {share:.0%} of the answers of "
            f"the {side}: it hardly tells them apart.",
        )
