"""A run's arrays to its metrics and comparisons."""

from __future__ import annotations

from assay.errors import InputError
from assay.folder import SCORES
from assay.judge import WIN_RATE
from assay.records import Comparison, Metric
from assay.report.glossary import rank, specs_of
from assay.report.labels import macro_comparisons, macros
from assay.report.likelihood import perplexities, perplexity
from assay.report.run import EvaluatedRun, SideRun
from assay.stats import Specs, compare, compare_with, spec_of, summarise

EVEN = 50.0
_ROUNDED = 1e-6


def metrics(run: EvaluatedRun) -> list[Metric]:
    """Return every metric of every side, in the order in which they are shown."""
    summaries, specs = [], specs_of(run)
    for side in run.sides:
        _check_scales(side, specs)
        summaries += summarise(side.side, side.verdicts, (), specs)
        summaries += summarise(side.side, side.scores, side.totals, specs)
        summaries += perplexity(side, specs) + macros(side, specs)
    if run.pairs:
        summaries += summarise("candidate", run.pairs, (), specs)
    return sorted(summaries, key=lambda metric: rank(metric.name))


def _check_scales(side: SideRun, specs: Specs) -> None:
    """Raise InputError for a score that is not on its metric's scale: whatever wrote it, no
    interval holds for it."""
    import numpy as np

    for name, values in side.scores.values.items():
        scale = spec_of(name, specs).scale
        finite = values[np.isfinite(values)]
        if scale is None or not len(finite):
            continue
        low, high = scale
        furthest = max(finite.min(), finite.max(), key=lambda value: abs(value - (low + high) / 2))
        if not low - _ROUNDED <= furthest <= high + _ROUNDED:
            raise InputError(
                f"{side.side}/{SCORES}: a score of {name} is {furthest:g}, which is not between "
                f"{low:g} and {high:g}",
                "Compute the metrics again: assay metrics RUN",
            )


def comparisons(run: EvaluatedRun, *, detect: bool = True) -> list[Comparison]:
    """Return the paired comparison of every metric that both sides have, and of the candidate's
    win rate with that of an even match; without what is detectable unless asked to `detect`."""
    if run.baseline is None:
        return []
    pairs = [
        (run.baseline.verdicts, run.candidate.verdicts),
        (run.baseline.scores, run.candidate.scores),
    ]
    specs = specs_of(run)
    differences = [
        comparison for pair in pairs for comparison in compare(*pair, specs, detect=detect)
    ]
    differences += perplexities(run, differences, specs, detect=detect)
    differences += macro_comparisons(run, specs, detect=detect)
    if run.pairs:
        differences += compare_with(EVEN, specs[WIN_RATE], run.pairs, detect=detect)
    return sorted(differences, key=lambda comparison: rank(comparison.name))
