"""The panel, in the judge's section: the scores of all judges together, and second opinions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.judge import PanelSummary
from assay.report.contents import Opinion, Report
from assay.report.glossary import rank
from assay.report.plain import label
from assay.report.section import Block, Metrics, Phrase, RowGroup, Table, side_columns, titled


def blocks(report: Report) -> Iterator[Block]:
    """Yield the panel's metric table and its opinions, nothing without a panel."""
    sides = [side.side for side in report.sides]
    if report.combined:
        title = "The combined score of the panel for baseline and candidate with its 95% interval"
        group = RowGroup(title=_title(report.combining), rows=report.combined)
        yield Metrics(title=title, groups=(group,))
    rows = (*_opinions(report.panel, sides), *_counts(report.combining, sides))
    if rows:
        yield Table(
            title="Second opinions, and how far they agree with the first judge",
            columns=side_columns("Judge and dimension", sides),
            rows=rows,
        )


def _title(combining: Mapping[str, PanelSummary]) -> str:
    judges = max((len(summary.models) for summary in combining.values()), default=0)
    return f"Panel of {judges} judges: the median of their scores" if judges else ""


def _opinions(panel: Sequence[Opinion], sides: Sequence[str]) -> Iterator[Phrase]:
    told: dict[str, dict[str, str]] = {}
    for opinion in panel:
        title = f"{opinion.model}: {label(opinion.name).lower()}"
        told.setdefault(title, {})[opinion.side] = _text(opinion)
    for title, texts in told.items():
        yield titled(title, [texts.get(side, "–") for side in sides])


def _text(opinion: Opinion) -> str:
    if opinion.mean is None or opinion.first is None:
        return "nothing that both scored"
    numbers = (("Spearman", opinion.spearman), ("weighted kappa", opinion.weighted_kappa))
    agreement = [f"{name} {value:.2f}" for name, value in numbers if value is not None]
    means = f"{opinion.mean:.2f}, the first {opinion.first:.2f}"
    return ", ".join([means, *agreement, f"n = {opinion.n:,}"])


def _counts(combining: Mapping[str, PanelSummary], sides: Sequence[str]) -> Iterator[Phrase]:
    """On how many answers how many judges gave a score."""
    names = dict.fromkeys(name for summary in combining.values() for name in summary.judges)
    for name in sorted(names, key=lambda name: (rank(name), name)):
        given = [
            combining[side].judges.get(name, {}) if side in combining else None for side in sides
        ]
        texts = ["–" if counts is None else _counted(counts) for counts in given]
        yield titled(f"How many judges gave a score: {label(name).lower()}", texts)


def _counted(judges: Mapping[int, int]) -> str:
    return ", ".join(f"{number} on {answers:,}" for number, answers in judges.items())
