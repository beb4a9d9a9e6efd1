"""Drift: the same frozen answers, judged then and now, tell a change of the judge from a change of
the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from assay import store
from assay.errors import JudgeError
from assay.judge.rubric import Rubric
from assay.records import Case, Prediction, Sample, Verdict

LEAST = 5
Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """One frozen answer with the scores that it had then, from `model` on the rubric of digest
    `rubric`."""

    sample: Sample
    output: str
    values: Mapping[str, float]
    model: str
    rubric: str


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Now minus then over the `n` anchors scored both times: the mean, its 95% interval by the
    normal approximation to the paired difference, and whether that leaves out 0."""

    n: int
    mean: float
    low: float
    high: float
    drifted: bool


def freeze(
    path: Path, judged: Iterable[tuple[Sample, str, Verdict]], model: str, rubric: Rubric
) -> int:
    """Write judged answers (sample, output, verdict) as anchors; return how many.

    Raises JudgeError where they are fewer than five."""
    anchors = [
        Anchor(
            sample=replace(sample, id=f"anchor-{number:04}"),
            output=output,
            values=verdict.values,
            model=model,
            rubric=rubric.digest,
        )
        for number, (sample, output, verdict) in enumerate(judged)
    ]
    _check(anchors, rubric, str(path))
    return store.write_rows(path, anchors)


def load(source: str, rubric: Rubric) -> list[Anchor]:
    """Return the anchors in a file or at a URI, [] for "".

    Raises JudgeError where they are fewer than five or of another rubric, InputError where the
    file is none of anchors."""
    if not source:
        return []
    with store.fetched(source) as path:
        anchors = list(store.read_rows(path, Anchor))
    _check(anchors, rubric, source)
    return anchors


def cases(anchors: Sequence[Anchor]) -> list[Case]:
    """Return the anchors as what there is to judge."""
    return [
        (
            anchor.sample,
            Prediction(
                id=anchor.sample.id,
                output=anchor.output,
                finish="stop",
                prompt_tokens=0,
                output_tokens=0,
            ),
        )
        for anchor in anchors
    ]


def drift(anchors: Iterable[Anchor], now: Mapping[str, Verdict]) -> dict[str, Shift]:
    """Return for each dimension how far the judge's scores have moved since the anchors were
    frozen, {} where fewer than five have a score now."""
    pairs = [
        (anchor.values, now[anchor.sample.id].values)
        for anchor in anchors
        if anchor.sample.id in now and not now[anchor.sample.id].unscored
    ]
    if len(pairs) < LEAST:
        return {}
    names = [name for name in pairs[0][0] if name in pairs[0][1]]
    return {name: _shift([b[name] - a[name] for a, b in pairs]) for name in names}


def _check(anchors: Sequence[Anchor], rubric: Rubric, where: str) -> None:
    if len(anchors) < LEAST:
        raise JudgeError(
            f"{where}: {len(anchors)} anchors are too few",
            f"Freeze at least {LEAST}, better 30: assay calibrate anchors",
        )
    if any(anchor.rubric != rubric.digest for anchor in anchors):
        raise JudgeError(
            f"{where}: the anchors were judged on another rubric than {rubric.name}",
            "Freeze anchors from a run on this rubric: assay calibrate anchors",
        )


def _shift(differences: list[float]) -> Shift:
    mean = fmean(differences)
    half = Z95 * stdev(differences) / math.sqrt(len(differences))
    return Shift(
        n=len(differences),
        mean=mean,
        low=mean - half,
        high=mean + half,
        drifted=mean != 0 and abs(mean) >= half,
    )
