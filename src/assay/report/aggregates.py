"""A run's arrays to its metrics and comparisons."""

from __future__ import annotations

from assay.judge import WIN_RATE
from assay.records import Comparison, Metric
from assay.report.glossary import rank, specs_of
from assay.report.labels import macro_comparisons, macros
from assay.report.likelihood import perplexities, perplexity
from assay.report.run import EvaluatedRun
from assay.stats import compare, compare_with, summarise

EVEN = 50.0


def metrics(run: EvaluatedRun) -> list[Metric]:
    """Return every metric of every side, in the order in which they are shown."""
    summaries, specs = [], specs_of(run)
    for side in run.sides:
        summaries += summarise(side.side, side.verdicts, (), specs)
        summaries += summarise(side.side, side.scores, side.totals, specs)
        summaries += perplexity(side, specs) + macros(side, specs)
    if run.pairs:
        summaries += summarise("candidate", run.pairs, (), specs)
    return sorted(summaries, key=lambda metric: rank(metric.name))


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
