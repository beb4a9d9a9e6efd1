"""Drift: the same frozen answers, judged then and now, tell a change of the judge from a change of
the model.

The interval of a shift is Student's t of the paired difference. Scores are whole numbers, so that
anchors that all moved by the same say no more of the spread than the rounding of two scores does:
it is taken to be at least that. All dimensions are tested at once, by Holm's procedure; and no move
is called that the signs of a few anchors would make by chance: five that all went up are too few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from assay import store
from assay.errors import JudgeError
from assay.judge.rubric import Rubric
from assay.judge.signs import by_chance
from assay.quantiles import t_outside, t_quantile
from assay.records import Case, Prediction, Sample, Verdict
from assay.stats import holm

LEAST = 5
_ALPHA = 0.05
_ROUNDING = math.sqrt(2 / 12)  # standard deviation: each score is off by up to a half, evenly


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
    """Now minus then over the `n` anchors scored both times: the mean, its 95% interval by
    Student's t, and whether it has drifted, all dimensions tested at once: where none has, one of
    them is called drifted in at most 5% of all runs."""

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
    import numpy as np

    pairs = [
        (anchor.values, now[anchor.sample.id].values)
        for anchor in anchors
        if anchor.sample.id in now and not now[anchor.sample.id].unscored
    ]
    if len(pairs) < LEAST:
        return {}
    names = [name for name in pairs[0][0] if name in pairs[0][1]]
    differences = {name: [b[name] - a[name] for a, b in pairs] for name in names}
    chances = holm({name: _chance(values) for name, values in differences.items()})
    signs = by_chance(np.array([differences[name] for name in chances], np.float64).T)
    return {
        name: _shift(differences[name], max(p, by_sign))
        for (name, p), by_sign in zip(chances.items(), signs.tolist(), strict=True)
    }


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


def _shift(differences: list[float], p: float) -> Shift:
    mean, half = fmean(differences), _half(differences)
    return Shift(
        n=len(differences), mean=mean, low=mean - half, high=mean + half, drifted=p <= _ALPHA
    )


def _half(differences: list[float]) -> float:
    return t_quantile(len(differences) - 1, 1 - _ALPHA / 2) * _error(differences)


def _chance(differences: list[float]) -> float:
    """Return the p value of the mean's being 0; a sum of whole numbers stands for half a step more
    and less."""
    distance = max(0.0, abs(fmean(differences)) - 0.5 / len(differences))
    return t_outside(len(differences) - 1, distance / _error(differences))


def _error(differences: list[float]) -> float:
    return max(stdev(differences), _ROUNDING) / math.sqrt(len(differences))
