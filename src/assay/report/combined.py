"""The panel's combined scores in the report: their means, and how many judges gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.judge import PanelSummary
from assay.records import Comparison, Metric
from assay.report.contents import Answer
from assay.report.glossary import rank, specs_of
from assay.report.plain import label
from assay.report.run import Run
from assay.stats import compare, summarise


def metrics(run: Run) -> list[Metric]:
    """Return each side's means of the panel's combined scores, in the order in which they are
    shown."""
    found = [
        metric
        for side in run.sides
        if side.combined
        for metric in summarise(side.side, side.combined, (), specs_of(run))
    ]
    return sorted(found, key=lambda metric: rank(metric.name))


def comparisons(run: Run) -> list[Comparison]:
    """Return the paired comparisons of the panel's combined scores."""
    if run.baseline is None or run.baseline.combined is None or run.candidate.combined is None:
        return []
    return compare(run.baseline.combined, run.candidate.combined, specs_of(run))


def title(combining: Mapping[str, PanelSummary]) -> str:
    """Return what the panel's table is called, "" without a panel."""
    judges = max((len(one.models) for one in combining.values()), default=0)
    return f"Panel of {judges} judges: the median of their scores" if judges else ""


def counts(
    combining: Mapping[str, PanelSummary], sides: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Return on how many answers how many judges gave a score, as (dimension, one text a side)."""
    names = dict.fromkeys(name for one in combining.values() for name in one.judges)
    return [
        (
            f"How many judges gave a score: {label(name).lower()}",
            [
                _counted(combining[side].judges.get(name, {})) if side in combining else "–"
                for side in sides
            ],
        )
        for name in sorted(names, key=lambda name: (rank(name), name))
    ]


def _counted(judges: Mapping[int, int]) -> str:
    return ", ".join(f"{number} on {answers:,}" for number, answers in judges.items())


def told(answer: Answer) -> str:
    """Return the panel's scores of one answer, each with how many judges gave one."""
    return ", ".join(
        f"{label(name).lower()} "
        + (f"{answer.panel[name]:g}" if name in answer.panel else "unscored")
        + f" ({judges} judge{'s' * (judges != 1)})"
        for name, judges in answer.panel_judges.items()
    )
