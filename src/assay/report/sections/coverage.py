"""Coverage and failures: what was answered, and what has no score and why."""

from __future__ import annotations

from assay.report.contents import Report
from assay.report.section import Block, Column, Phrase, Section, Table, note, side_columns, titled

_COUNTS = {
    "Samples": "samples",
    "Answers": "predictions",
    "Empty answers": "empty",
    "Answers cut at max_new_tokens": "cut",
    "Prompts truncated at cutoff_len": "prompts_truncated",
}


def section(report: Report) -> Section:
    """Return how many samples have what, side by side."""
    sides = [side.side for side in report.sides]
    rows = [
        titled(title, [_count(getattr(side, field)) for side in report.sides])
        for title, field in _COUNTS.items()
    ]
    lengths = [f"{side.mean_length:,.0f}" for side in report.sides]
    rows.append(titled("Mean length of an answer, characters", lengths))
    counts = Table(
        title="", columns=side_columns("Of the answers", sides, number=True), rows=tuple(rows)
    )
    return Section(
        name="coverage",
        title="Coverage and failures",
        button="Coverage",
        blocks=(counts, _unscored(report)),
    )


def _count(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _unscored(report: Report) -> Block:
    rows = _causes(report)
    if not rows:
        return note("Every answer has every score.")
    return Table(
        title="Unscored, by cause: left out of every mean, never counted as 0",
        columns=(
            Column(title="Side"),
            Column(title="Cause"),
            Column(title="Samples", number=True),
            Column(title="Metrics"),
        ),
        rows=rows,
    )


def _causes(report: Report) -> tuple[Phrase, ...]:
    """Unscored samples by side, cause and count, metrics alike in all three together."""
    names: dict[tuple[str, str, int], list[str]] = {}
    for row in report.summary:
        for metric in filter(None, (row.baseline, row.candidate)):
            for cause, count in metric.unscored.items():
                names.setdefault((metric.side, cause, count), []).append(row.name)
    return tuple(
        titled(side, [cause, f"{count:,}", ", ".join(metrics)])
        for (side, cause, count), metrics in names.items()
    )
